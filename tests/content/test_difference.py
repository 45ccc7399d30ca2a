"""Which entries are called different, and which only seem to be: tables and properties."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.content.difference import (
    Difference,
    EntryVersion,
    EntryVersions,
    absent_attributes,
    differing,
    differing_attributes,
    differs_in_values,
    is_within,
    odd,
    recheck,
)

ONE, OTHER = 1, 2  # entryUUIDs
OLD, NEW, NEWER = "20260101000000Z#1", "20260101000001Z#1", "20260101000002Z#1"
DN = "uid=a,dc=x"


def version(csn: str, uuid: int = ONE) -> EntryVersion:
    return EntryVersion(str(UUID(int=uuid)), csn)


def looked(
    *looks: Mapping[str, str | None],
) -> tuple[list[Difference], Mapping[str, EntryVersions]]:
    """Return what the last of some looks at one entry says."""
    before: Mapping[str, EntryVersions] = {
        DN: {server: version(csn) if csn else None for server, csn in looks[0].items()}
    }
    different: list[Difference] = []
    for probe in looks[1:]:
        now = {server: {DN: version(csn)} if csn else {} for server, csn in probe.items()}
        outcome = recheck(before, now)
        different += outcome.different
        before = outcome.moving
    return different, before


@pytest.mark.parametrize(
    ("looks", "different", "moving"),
    [
        pytest.param([{"a": OLD, "b": NEW}, {"a": NEW, "b": NEW}], 0, 0, id="it was on its way"),
        pytest.param([{"a": None, "b": NEW}, {"a": NEW, "b": NEW}], 0, 0, id="added meanwhile"),
        pytest.param([{"a": OLD, "b": None}, {"a": None, "b": None}], 0, 0, id="deleted meanwhile"),
        pytest.param([{"a": OLD, "b": NEW}, {"a": OLD, "b": NEW}], 1, 0, id="it stays"),
        pytest.param([{"a": OLD, "b": None}, {"a": OLD, "b": None}], 1, 0, id="it stays missing"),
        pytest.param([{"a": OLD, "b": NEW}, {"a": NEW, "b": NEWER}], 0, 1, id="it moves on"),
        pytest.param([{"a": OLD, "b": NEW}, {"a": OLD, "b": NEWER}], 0, 1, id="on one of them"),
        pytest.param(
            [{"a": OLD, "b": NEW}, {"a": NEW, "b": NEWER}, {"a": NEWER, "b": NEWER}],
            0,
            0,
            id="it moves on and rests",
        ),
        pytest.param(
            [{"a": OLD, "b": NEW}, {"a": OLD, "b": NEWER}, {"a": OLD, "b": NEWER}],
            1,
            0,
            id="it moves on one and not on the other",
        ),
        pytest.param(
            [{"a": OLD, "b": NEW, "c": OLD}, {"a": OLD, "c": OLD}],
            0,
            0,
            id="the odd one cannot be read any more",
        ),
    ],
)
def test_only_what_stays_different_in_the_same_way_is_called_so(
    looks: list[Mapping[str, str | None]], different: int, moving: int
) -> None:
    found, left = looked(*looks)

    assert (len(found), len(left)) == (different, moving)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        pytest.param({"a": OLD, "b": OLD, "c": NEW}, {"c"}, id="a newer one is odd as well"),
        pytest.param({"a": NEW, "b": NEW, "c": None}, {"c"}, id="the one that lacks it"),
        pytest.param({"a": None, "b": None, "c": NEW}, {"c"}, id="the one that still has it"),
        pytest.param({"a": OLD, "b": NEW}, set(), id="two servers have no majority"),
        pytest.param({"a": OLD, "b": OLD, "c": NEW, "d": NEW}, set(), id="half is none"),
        pytest.param({"a": OLD, "b": NEW, "c": NEWER}, set(), id="all differ"),
        pytest.param({"a": OLD, "b": OLD, "c": OLD, "d": NEW, "e": None}, {"d", "e"}, id="two"),
    ],
)
def test_the_odd_ones_hold_something_else_than_more_than_half(
    versions: Mapping[str, str | None], expected: set[str]
) -> None:
    assert odd({s: version(csn) if csn else None for s, csn in versions.items()}) == expected


def test_the_same_name_may_be_of_two_entries_and_is_told_once() -> None:
    seen = {"a": {ONE: (OLD, DN, "")}, "b": {OTHER: (OLD, DN.upper(), "")}}
    suspects = differing(seen)
    shown = {"a": {DN: version(OLD, ONE)}, "b": {DN: version(OLD, OTHER)}}
    (found,) = recheck(suspects, shown).different

    assert suspects == {DN: {"a": version(OLD, ONE), "b": version(OLD, OTHER)}}
    assert [is_within(found, low, low) for low in (ONE, OTHER)] == [True, False]


def test_a_rename_that_one_lacks_is_two_names() -> None:
    seen = {"a": {ONE: (OLD, "cn=old", "")}, "b": {ONE: (OLD, "cn=new", "")}}

    assert differing(seen) == {
        "cn=old": {"a": version(OLD), "b": None},
        "cn=new": {"a": None, "b": version(OLD)},
    }


SERVERS = ("a", "b", "c", "d")
content = st.dictionaries(st.integers(0, 5), st.sampled_from([OLD, NEW]))
contents = st.lists(content, min_size=2, max_size=4).map(
    lambda each: dict(zip(SERVERS, each, strict=False))
)


def shown(of: Mapping[str, Mapping[int, str]]) -> dict[str, dict[int, tuple[str, str, str]]]:
    return {
        server: {uuid: (csn, f"cn={uuid}", "") for uuid, csn in entries.items()}
        for server, entries in of.items()
    }


def by_dn(of: Mapping[str, Mapping[int, str]]) -> dict[str, dict[str, EntryVersion]]:
    return {
        server: {f"cn={uuid}": version(csn, uuid) for uuid, csn in entries.items()}
        for server, entries in of.items()
    }


@given(contents)
def test_what_differs_is_what_is_not_the_same_on_all(of: Mapping[str, Mapping[int, str]]) -> None:
    uuids = {uuid for entries in of.values() for uuid in entries}
    differ = {u for u in uuids if len({entries.get(u) for entries in of.values()}) > 1}

    assert differing(shown(of)).keys() == {f"cn={uuid}" for uuid in differ}


@given(contents, st.permutations(SERVERS))
def test_no_server_is_special(of: Mapping[str, Mapping[int, str]], order: list[str]) -> None:
    names = dict(zip(SERVERS, order, strict=True))
    permuted = {names[server]: of[server] for server in reversed([*of])}

    def found(contents: Mapping[str, Mapping[int, str]]) -> set[tuple[str, frozenset[str]]]:
        different = recheck(differing(shown(contents)), by_dn(contents)).different
        return {(each.dn, each.odd) for each in different}

    renamed = {(dn, frozenset(names[server] for server in servers)) for dn, servers in found(of)}
    assert found(permuted) == renamed


@given(contents, content)
def test_a_difference_that_is_gone_at_the_second_look_is_none(
    first: Mapping[str, Mapping[int, str]], then: Mapping[int, str]
) -> None:
    outcome = recheck(differing(shown(first)), by_dn(dict.fromkeys(first, then)))

    assert outcome == type(outcome)((), {})


@given(contents)
def test_what_stays_is_found_and_blames_a_minority(of: Mapping[str, Mapping[int, str]]) -> None:
    suspects = differing(shown(of))
    outcome = recheck(suspects, by_dn(of))

    assert {each.dn for each in outcome.different} == suspects.keys()
    assert all(2 * len(each.odd) < len(of) for each in outcome.different)
    assert all(each.odd <= of.keys() == each.servers for each in outcome.different)


WITH, OTHERWISE = (EntryVersion(str(UUID(int=ONE)), OLD, values) for values in ("x", "y"))


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"a": WITH, "b": OTHERWISE}, True),
        ({"a": WITH, "b": OTHERWISE, "c": version(NEW)}, True),
        ({"a": WITH, "b": WITH, "c": None}, False),
        ({"a": WITH, "b": version(NEW)}, False),
        ({"a": WITH, "b": version(OLD, OTHER)}, False),
    ],
)
def test_values_differ_only_under_one_entry_csn(versions: EntryVersions, expected: bool) -> None:
    assert differs_in_values(versions) is expected


def test_the_attributes_that_differ_are_named_and_those_that_only_others_show() -> None:
    seen = {
        "a": {DN: {"cn": "1", "sn": "1", "title": "1"}},
        "b": {DN: {"cn": "1", "sn": "2"}},
        "c": {"cn=elsewhere": {"cn": "1"}},
    }

    assert differing_attributes(seen) == {DN: ("sn", "title"), "cn=elsewhere": ()}
    assert [absent_attributes(each, seen) for each in seen] == [[], [(DN, "title")], []]
