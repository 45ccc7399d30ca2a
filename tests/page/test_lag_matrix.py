"""The table of servers and server IDs, and its text."""

from __future__ import annotations

from math import inf, nan

import pytest
from msgspec.structs import replace

from ldaphealth.model import Finding, Metric, State, Verdict
from ldaphealth.page.lag_matrix import MOST_SERVER_IDS, Cell, matrix
from tests.page import views


def verdict(server: str, *metrics: Metric) -> Verdict:
    finding = Finding(
        server=server, check="replication", state=State.OK, code="ok", summary="", metrics=metrics
    )
    return Verdict(server=server, state=State.OK, in_service=True, weight=100, findings=(finding,))


def lag(sid: str, behind: float, gap: float | None = None) -> tuple[Metric, ...]:
    found = (Metric("behind_seconds", behind, "10", "60", sid),)
    return found if gap is None else (*found, Metric("csn_gap_seconds", gap, label=sid))


@pytest.mark.parametrize(
    ("behind", "gap", "cell"),
    [
        pytest.param(0.0, 0.0, Cell("newest", "newest"), id="has everything"),
        pytest.param(0.0, 0.4, Cell("coming", "on its way"), id="a gap of less than a second"),
        pytest.param(0.0, 90.0, Cell("coming", "on its way, gap 1 min 30 s"), id="not late yet"),
        pytest.param(41.7, 3_912.0, Cell("behind", "behind 41 s, gap 1 h 5 min"), id="behind"),
        pytest.param(41.7, None, Cell("behind", "behind 41 s"), id="it has nothing at all"),
        pytest.param(nan, nan, Cell("newest", "newest"), id="no number"),
        pytest.param(1.0, inf, Cell("behind", "behind 1 s"), id="no end"),
    ],
)
def test_a_cell(behind: float, gap: float | None, cell: Cell) -> None:
    found = matrix([verdict("c/a", *lag("001", behind, gap))])

    assert found is not None
    assert found.rows == (("a", (cell,)),)


def found_as(code: str, server: str, *metrics: Metric) -> Verdict:
    shown = verdict(server, *metrics)
    (finding,) = shown.findings
    return replace(shown, findings=(replace(finding, state=State.CRITICAL, code=code),))


def apart(kind: str, sid: str) -> Metric:
    return Metric(f"{kind}_seconds", 66.0, "10", "60", sid)


def test_during_a_split_nothing_is_on_its_way() -> None:
    mine = (*lag("001", 0.0, 0.0), *lag("002", 66.0, 20.0), apart("split", "002"))
    found = matrix([found_as("split", "c/a", *mine), found_as("split", "c/b", *mine)])

    assert found is not None
    assert found.rows[0][1] == (
        Cell("newest", "newest"),
        Cell("split", "split 1 min 6 s, gap 20 s"),
    )
    assert found.summary == "2 of 2 servers are split into sides that lack changes of each other"


def test_what_an_isolated_server_has_is_not_on_its_way() -> None:
    alone = found_as("isolated", "c/a", *lag("001", 0.0, 0.0), apart("isolated", "001"))
    found = matrix([alone, verdict("c/b", *lag("001", 0.0, 20.0))])

    assert found is not None
    assert [cells for _, cells in found.rows] == [
        (Cell("isolated", "isolated 1 min 6 s"),),
        (Cell("lacking", "not received, gap 20 s"),),
    ]
    assert found.summary == "1 of 2 servers have changes that others lack"


def test_a_change_that_the_others_receive_a_moment_later_is_on_its_way() -> None:
    ahead = verdict("c/a", *lag("001", 0.0, 0.0), apart("isolated", "001"))
    found = matrix([ahead, verdict("c/b", *lag("001", 0.0, 0.4))])

    assert found is not None
    assert [cells[0].kind for _, cells in found.rows] == ["newest", "coming"]
    assert found.summary == "no change is known to be missing on 2 servers"


def test_a_server_that_lacks_what_it_had_is_in_the_summary() -> None:
    found = matrix([found_as("regressed", "c/a", *lag("001", 0.0, 0.0))])

    assert found is not None
    assert found.summary == "1 of 1 server lack changes that they had"


def test_a_server_that_could_not_be_compared_is_not_known() -> None:
    found = matrix([verdict("c/a", *lag("001", 0.0, 0.0)), verdict("c/b")])

    assert found is not None
    assert found.rows[1] == ("b", (Cell("unknown", "not known"),))
    assert found.summary == "no change is known to be missing on 2 servers"


def test_the_summary_has_the_worst() -> None:
    found = matrix([views.fine("c/a"), views.behind("c/b")])

    assert found is not None
    assert found.server_ids == ("001", "002", "003")
    assert found.summary == "1 of 2 servers lack changes that others have"


def test_there_is_none_without_replication() -> None:
    assert matrix([replace(views.fine("c/a"), findings=())]) is None
    assert matrix([verdict("c/a")]) is None


def test_more_server_ids_than_a_page_holds_are_counted() -> None:
    metrics = [each for sid in range(100) for each in lag(f"{sid:03x}", 0.0, 0.0)]
    found = matrix([verdict("c/a", *metrics)])

    assert found is not None
    assert len(found.server_ids) == len(found.rows[0][1]) == MOST_SERVER_IDS
    assert found.left_out == 100 - MOST_SERVER_IDS
