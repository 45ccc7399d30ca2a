"""What is said of the last day, also of what could not be judged; tests/slapd/test_backtest.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ldaphealth.cli.last_day import is_part, last_day_line
from ldaphealth.cli.reload import _gone, _worse
from ldaphealth.settings import AgentSettings, Settings
from tests.checks.seen import cluster


def side(outages: int = 0, seconds: float = 0.0, left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    causes = {"bind.slow": outages} if outages else {}
    found = {"outages": outages, "seconds": seconds, "causes": causes}
    return {"out_of_service": found, "left_out": [*left_out]}


def day(*sides: Mapping[str, Any], is_cut: bool = False) -> dict[str, Any]:
    return {"sides": [*sides], "is_cut": is_cut, "until": "2026-11-27T19:21:06Z"}


@pytest.mark.parametrize(
    ("document", "line"),
    [
        pytest.param(
            day(side(), side(2, 60.0)),
            "the last day, with these settings: 2 removals for 1 min in all (bind.slow 2); as it "
            "was: no removal",
            id="more removals",
        ),
        pytest.param(
            day(side(), side(), is_cut=True),
            "the last day until 2026-11-27T19:21:06Z, then the time for it was over, with these "
            "settings: no removal; as it was: no removal",
            id="a part of it",
        ),
        pytest.param(
            day(side(), side(left_out=("server ldap2", "check write"))),
            "the last day, with these settings: no removal; as it was: no removal; not judged: "
            "server ldap2, check write",
            id="something new",
        ),
        pytest.param(
            None,
            "the last day, with these settings: not judged, the time for it was over",
            id="nothing",
        ),
    ],
)
def test_a_line_says_what_was_judged(document: dict[str, Any] | None, line: str) -> None:
    assert last_day_line(document) == line
    assert is_part(document) == (document is None or document["is_cut"])


def test_there_is_a_question_when_more_was_removed_or_something_was_not_judged() -> None:
    same, worse = day(side(1, 9.0), side(1, 9.0)), day(side(1, 9.0), side(1, 10.0))

    assert [*_worse({"a": same, "b": day(side(1, 9.0), side())})] == []
    assert [*_worse({"a": worse, "b": same, "c": worse})] == [
        "servers of a, c would have been out of service for longer"
    ]
    assert [*_worse({"a": None, "b": day(side(), side(), is_cut=True), "c": same})] == [
        "a part of the last day of a, b was not judged"
    ]


def test_there_is_a_question_when_servers_go() -> None:
    settings = Settings({"c": cluster(servers=2)}, AgentSettings())

    assert [*_gone(["c/s1", "c/s0"], settings)] == []
    assert [*_gone(["c/s1", "d/s0", "c/s9"], settings)] == ["c/s9, d/s0 would no longer be checked"]
