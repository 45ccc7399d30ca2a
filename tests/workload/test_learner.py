"""What is learnt from the lines of a log: shapes, their counts, and no value."""

from __future__ import annotations

import random

import pytest

from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.workload import learner as module
from ldaphealth.workload.learner import MOST_OPEN, MOST_SHAPES, Learner
from ldaphealth.workload.learnt import NothingLearntError
from ldaphealth.workload.shape import ValueSource
from tests.workload.logs import SUFFIX, learnt, lines_of, only, operation, search


def test_searches_that_differ_in_values_have_one_shape() -> None:
    workload = learnt(
        lines_of(
            [
                search(f"ou=people,{SUFFIX}", "(uid=anna)", "cn", "mail", seconds=0.001, entries=1),
                search(f"OU=People,{SUFFIX}", "(uid=ben)", "cn", "mail", seconds=0.1, entries=0),
                search(f"ou=people,{SUFFIX}", "(uid=x)", "cn", "mail", seconds=0.1, entries=5),
            ]
        )
    )
    shape = only(workload)

    assert (shape.operation, shape.scope, shape.deref) == ("search", "sub", "never")
    assert (shape.base, shape.filter) == (f"ou=people,{SUFFIX}", "(uid={uid})")
    assert shape.attributes == ("cn", "mail")
    assert workload.sources == {
        "uid": ValueSource(attribute=AttributeName("uid"), base=DN(shape.base))
    }
    assert (shape.count, shape.share, shape.results) == (3, 1.0, {0: 3})
    assert shape.entries == {0: 1, 1: 1, 8: 1}
    assert shape.times.quantile(0.3) == pytest.approx(0.001, rel=0.2)
    assert shape.times.quantile(0.99) == pytest.approx(0.1, rel=0.2)


def test_an_entry_that_is_read_by_its_dn_is_drawn_from_entries_of_that_form() -> None:
    workload = learnt(
        lines_of(search(f"uid={n},ou=people,{SUFFIX}", "(objectClass=*)", scope=0) for n in "ab")
    )

    assert only(workload).base == "{uid-entry}"
    assert workload.sources == {"uid-entry": ValueSource(dn=f"uid=*,ou=people,{SUFFIX}")}


def test_a_compare_has_an_attribute_and_a_value_of_it() -> None:
    request, result = (
        f'CMP dn="uid=a,{SUFFIX}" attr="mail"',
        "RESULT tag=111 err=5 etime=0.01 text=",
    )
    workload = learnt(lines_of([(request, result)]))
    shape = only(workload)

    assert (shape.operation, shape.attribute, shape.value) == ("compare", "mail", "{mail}")
    assert (shape.base, shape.results) == ("{uid-entry}", {5: 1})


def test_the_same_attribute_below_two_bases_has_two_sources() -> None:
    workload = learnt(lines_of(search(f"ou={ou},{SUFFIX}", "(cn=x)") for ou in ("a", "a", "b")))

    assert [shape.filter for shape in workload.shapes] == ["(cn={cn})", "(cn={cn-2})"]
    assert [each.base for each in workload.sources.values()] == [f"ou=a,{SUFFIX}", f"ou=b,{SUFFIX}"]


def test_connections_may_be_mixed() -> None:
    """Each operation keeps its own lines, in any order of the others."""
    generator = random.Random(1)  # noqa: S311
    operations = [
        operation(1000 + n, 1, *search(SUFFIX, f"({'ab'[n % 2]}=x)", f"x{n % 2}", entries=n % 2))
        for n in range(200)
    ]
    mixed = []
    while operations:
        lines = generator.choice(operations)
        mixed.append(lines.pop(0))
        if not lines:
            operations.remove(lines)

    workload = learnt(mixed)

    assert {(each.filter, each.attributes, *each.entries) for each in workload.shapes} == {
        ("(a={a})", ("x0",), 0),
        ("(b={b})", ("x1",), 1),
    }
    assert [each.count for each in workload.shapes] == [100, 100]


def test_two_servers_in_one_log_may_count_alike() -> None:
    first, second = (
        [f"Nov 26 20:11:19 {host} slapd[7]: {line}" for line in operation(1000, 1, *each)]
        for host, each in (
            ("a", search(SUFFIX, "(a=x)")),
            ("b", search(SUFFIX, "(b=x)", entries=0)),
        )
    )
    workload = learnt([line for pair in zip(first, second, strict=True) for line in pair])

    assert {each.filter: each.entries for each in workload.shapes} == {
        "(a={a})": {1: 1},
        "(b={b})": {0: 1},
    }


WRITES = {
    "bind": ('BIND dn="uid=anna" method=128', "RESULT tag=97 err=0 etime=0.1 text="),
    "unbind": ("UNBIND", ""),
    "add": ('ADD dn="uid=anna"', "RESULT tag=105 err=0 etime=0.1 text="),
    "modify": ('MOD dn="uid=anna"\nMOD attr=sn', "RESULT tag=103 err=0 etime=0.1 text="),
    "delete": ('DEL dn="uid=anna"', "RESULT tag=107 err=0 etime=0.1 text="),
    "modrdn": ('MODRDN dn="uid=anna"', "RESULT tag=109 err=0 etime=0.1 text="),
    "extended": ("EXT oid=1.3\nPASSMOD id=x new", "RESULT oid= err=0 etime=0.1 text="),
    "abandon": ("ABANDON msg=3", ""),
}


def test_writes_and_binds_are_counted_and_in_no_shape() -> None:
    workload = learnt(lines_of([*WRITES.values(), search(SUFFIX, "(a=x)")]))

    assert workload.left_out == dict.fromkeys(WRITES, 1)
    assert workload.operations == 1
    assert [shape.operation for shape in workload.shapes] == ["search"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param(operation(1, 1, *search(SUFFIX, "(b=x)"))[:-1], module.UNFINISHED, id="lost"),
        pytest.param(
            [
                *operation(1, 1, *search(SUFFIX, "(b=x)"))[:-1],
                *operation(1, 1, *search(SUFFIX, "(a=x)")),
            ],
            module.UNFINISHED,
            id="the server was started again",
        ),
        pytest.param(
            [
                *operation(1, 1, *search(SUFFIX, "(b=x)", "stale"))[:-1],
                *operation(1, 1, *search(SUFFIX, "(a=x)")),
            ],
            module.UNFINISHED,
            id="the attributes of a search before do not remain",
        ),
        pytest.param(['conn=1 op=1 SRCH base="dc=o'], module.UNREADABLE, id="cut off"),
        pytest.param(operation(1, 1, *search("x", "(b=x)")), module.UNREADABLE, id="no DN"),
        pytest.param(
            operation(1, 1, *search(SUFFIX, "(b=x)", "a=b")), module.UNREADABLE, id="no attribute"
        ),
        pytest.param(
            operation(1, 1, *search(SUFFIX, "(b=x)", *["b"] * 300)),
            module.UNREADABLE,
            id="too many attributes",
        ),
        pytest.param(
            operation(1, 1, *search(SUFFIX, "(?=undefined)")), module.UNDEFINED, id="undefined"
        ),
        pytest.param(
            operation(1, 1, *search(SUFFIX, "(?secret=x)")), module.UNDEFINED, id="no attribute"
        ),
    ],
)
def test_what_cannot_be_used_is_counted(lines: list[str], reason: str) -> None:
    workload = learnt([*operation(2, 1, *search(SUFFIX, "(a=x)")), *lines])

    assert workload.left_out == {reason: 1}
    assert only(workload).filter == "(a={a})"


def test_a_value_that_fits_no_syntax_leaves_a_known_attribute() -> None:
    workload = learnt(
        lines_of([search(SUFFIX, "(?member=x)"), search(SUFFIX, "(&(member=a)(sn=*))")])
    )

    assert {shape.filter for shape in workload.shapes} == {
        "(member={member})",
        "(&(member={member})(sn=*))",
    }


def test_rare_shapes_are_summed() -> None:
    frequent = [search(SUFFIX, "(a=x)")] * 90
    rare = [search(SUFFIX, f"(b{n}=x)") for n in range(10)]
    workload = learnt(lines_of([*frequent, *rare]), at_least=2)

    assert only(workload).share == 0.9
    assert workload.left_out == {module.RARE: 10}
    assert workload.operations == 100


def test_only_the_most_frequent_shapes_are_written() -> None:
    workload = learnt(
        lines_of(search(SUFFIX, f"(a{n}=x)") for n in range(9) for _ in range(n + 1)), most=2
    )

    assert [shape.count for shape in workload.shapes] == [9, 8]
    assert workload.left_out == {module.RARE: 28}


def test_memory_is_bounded_by_numbers_of_shapes_and_of_open_operations() -> None:
    learner = Learner()
    for number in range(MOST_SHAPES * 2):
        for line in operation(number, 1, *search(SUFFIX, f"(a{number}=x)")):
            learner.read(line.encode())
        learner.read(b'conn=1 op=%d SRCH base="" scope=0 deref=0 filter="(a=b)"' % number)
    for number in range(MOST_OPEN):
        learner.read(b'conn=2 op=%d SRCH base="" scope=0 deref=0 filter="(a=b)"' % number)
        learner.read(b"conn=2 op=%d SRCH attr=a b" % number)

    assert len(learner.shapes) <= MOST_SHAPES
    assert len(learner._open) <= MOST_OPEN
    assert len(learner._requested) <= MOST_OPEN
    learner.finish()
    reads = sum(tally.count for tally in learner.shapes.values()) + learner.left_out[module.RARE]
    assert reads == MOST_SHAPES * 2


def test_a_frequent_shape_that_begins_late_is_found() -> None:
    rare = [search(SUFFIX, f"(a{n}=x)") for n in range(MOST_SHAPES * 2)]
    late = [search(SUFFIX, "(late=x)")] * 1000
    workload = learnt(lines_of([*rare, *late]), at_least=10)

    assert only(workload).count == 1000
    assert only(workload).share == pytest.approx(1000 / (1000 + 2 * MOST_SHAPES), abs=1e-6)


def test_without_operations_nothing_is_learnt() -> None:
    with pytest.raises(NothingLearntError):
        learnt(["slapd starting"])


def test_a_line_that_was_cut_off_ends_the_operation_of_that_number_before() -> None:
    stale = operation(1, 1, *search(SUFFIX, "(b=x)"))
    workload = learnt(
        [
            *operation(2, 1, *search(SUFFIX, "(a=x)")),
            stale[0],
            'conn=1 op=1 SRCH base="dc=o',
            stale[-1],
        ]
    )

    assert workload.left_out == {module.UNFINISHED: 1, module.UNREADABLE: 1}


def test_the_same_shape_has_the_same_name_in_every_log() -> None:
    first = learnt(lines_of([search(SUFFIX, "(a=x)"), search(SUFFIX, "(b=x)")]))
    second = learnt(lines_of([search(SUFFIX, "(b=y)")] * 9))

    assert only(second).name in {shape.name for shape in first.shapes}
    assert only(second).name.startswith("search-b-")
