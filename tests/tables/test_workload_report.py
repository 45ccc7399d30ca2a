"""The tables of a workload, as a terminal of 80 columns shows them."""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.ldap.names import AttributeName
from ldaphealth.tables.terminal import as_text
from ldaphealth.tables.workload_report import render_workload
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

SHAPE = OperationShape(
    name="search-uid-11f3",
    operation="search",
    base="{uid-entry}",
    scope="base",
    filter="(objectClass=*)",
    attributes=("cn", "mail"),
    count=4000,
    share=0.8,
    results={0: 3000, 32: 1000},
    entries={0: 1000, 1: 3000},
    seconds={0.0000977: 1000, 0.000977: 2999, 0.125: 1},
)
COMPARE = OperationShape(
    name="compare-mail-17d6",
    operation="compare",
    base="cn=x",
    attribute=AttributeName("mail"),
    value="{mail}",
    count=1000,
    share=0.2,
    results={5: 500, 6: 500},
    seconds={0.5: 1000},
)
WORKLOAD = Workload(
    form=1,
    operations=5000,
    left_out={"bind": 12345, "modify": 1},
    sources={
        "uid-entry": ValueSource(dn="uid=*,dc=org"),
        "mail": ValueSource(values=("a",)),
    },
    shapes=(SHAPE, COMPARE),
)


def shown(workload: Workload) -> list[str]:
    return as_text(render_workload(workload), width=80, colour=False).split("\n")


def test_shapes_have_their_share_results_and_times() -> None:
    lines = shown(WORKLOAD)

    assert lines[:6] == [
        "SHAPE              COUNT  SHARE  NOT OK   NONE     P50     P99",
        "search-uid-11f3    4,000  80.0%   25.0%  25.0%  934 us  934 us",
        "compare-mail-17d6  1,000  20.0%    0.0%      -  500 ms  500 ms",
        "",
        'search-uid-11f3  search "uid=*,dc=org" base (objectClass=*) cn mail',
        'compare-mail-17d6  compare "cn=x" mail: {mail}',
    ]


def test_times_are_plotted_on_one_scale() -> None:
    lines = shown(WORKLOAD)
    at = next(number for number, line in enumerate(lines) if line.startswith("TIMES"))
    marks, first, second = lines[at : at + 3]

    assert max(map(len, lines)) <= 80
    assert [word for word in marks.split() if word != "TIMES"] == ["100us", "1ms", "10ms", "100ms"]
    assert abs(first.index("@") - marks.index("1ms")) <= 1
    assert (first.count("@"), second.count("@")) == (1, 1)
    assert marks.index("100ms") < second.index("@")


def test_what_was_left_out_is_counted() -> None:
    assert shown(WORKLOAD)[-3:] == ["LEFT OUT   COUNT", "bind      12,345", "modify         1"]


def test_a_log_without_times_has_no_plot() -> None:
    lines = shown(replace(WORKLOAD, shapes=(replace(SHAPE, seconds={}),), left_out={}))

    assert lines[1].split()[-2:] == ["-", "-"]
    assert lines[-1].startswith("The log has no times")
