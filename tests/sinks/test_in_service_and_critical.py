"""A server that is in service and CRITICAL explains itself, whatever prints it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaphealth.checks import BUILT_IN
from ldaphealth.guard import decide
from ldaphealth.model import CheckEffect, Finding, Server, Snapshot, State, Trust, Verdict
from ldaphealth.page.server_card import card
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.sinks import SINKS, SinkOptions
from ldaphealth.sinks.summary import explained_code, problems, remark
from tests.page import views

EFFECTS = {
    "bind": CheckEffect.OUT,
    "search": CheckEffect.OUT,
    "replication": CheckEffect.OUT,
    "latency": CheckEffect.WEIGHT,
    "monitor": CheckEffect.WATCH,
}
PLAN = tuple(ConfiguredCheck(BUILT_IN[name], None, effect) for name, effect in EFFECTS.items())
SERVERS = tuple(Server(cluster="c", name=f"s{n}", uri="ldap://127.0.0.1") for n in range(2))
HARD, SOFT, INFORMATIVE, LOCAL = Trust.HARD, Trust.SOFT, Trust.INFORMATIVE, Trust.LOCAL


def decided(*failures: tuple[int, str, str, Trust], least: int = 1) -> Snapshot:
    """Return the snapshot after CRITICAL findings, each by server, check, code and trust."""
    findings = [
        Finding(
            server=f"c/s{n}",
            check=check,
            state=State.CRITICAL,
            code=code,
            summary="a sentence",
            metrics=(),
            trust=trust,
        )
        for n, check, code, trust in failures
    ]
    return Snapshot(
        0.0,
        decide(
            Cluster(name="c", servers=SERVERS, checks=PLAN, min_in_service=least), findings
        ).verdicts,
    )


WATCHED = (0, "monitor", "ratio", SOFT)
WEIGHED = (0, "latency", "slow", SOFT)
SPLIT = (0, "replication", "split", INFORMATIVE)
CASES = [
    pytest.param(
        [WATCHED], 1, "monitor.ratio (cannot remove the server)", "", id="a check that only reports"
    ),
    pytest.param([WEIGHED], 1, "latency.slow (lowers the weight)", "", id="a lower weight"),
    pytest.param(
        [SPLIT], 1, "replication.split (cannot remove the server)", "", id="no server would benefit"
    ),
    pytest.param(
        [(0, "latency", "slow", LOCAL)],
        1,
        "latency.slow (cannot remove the server)",
        "",
        id="a local failure",
    ),
    pytest.param(
        [(n, "bind", "invalidCredentials", SOFT) for n in (0, 1)],
        1,
        "bind.invalidCredentials",
        "blind",
        id="all fail alike",
    ),
    pytest.param([(0, "search", "value", SOFT)], 2, "search.value", "floor", id="too few are left"),
]


@pytest.mark.parametrize(("failures", "least", "code", "held_by"), CASES)
def test_each_sink_says_why_it_is_in_service(
    failures: Sequence[tuple[int, str, str, Trust]], least: int, code: str, held_by: str
) -> None:
    snapshot = decided(*failures, least=least)
    verdict = snapshot.verdicts[0]
    assert (verdict.state, verdict.in_service) == (State.CRITICAL, True)

    for name in ("text", "nagios", "checkmk"):
        printed = SINKS[name].render(snapshot, SinkOptions(width=160)).text
        (line,) = [each for each in printed.splitlines() if f"{code}: a sentence" in each][:1]
        assert held_by in line
    shown = card(views.known(verdict), views.BOOT)
    assert shown.brief == f"{code}: a sentence"
    assert (shown.held, bool(shown.held_sentence)) == (held_by, bool(held_by))
    (row,) = shown.reasons
    assert (f"{row.name} ({row.remark})" if row.remark else row.name) == code
    assert verdict.reasons[0].removes is bool(held_by)


def test_a_reason_that_removes_is_named_before_a_split() -> None:
    snapshot = decided((0, "bind", "timeout", HARD), SPLIT)

    assert problems(snapshot)[0] == "s0 out: bind.timeout"


def test_a_server_that_is_out_needs_no_remark() -> None:
    verdict = decided((0, "bind", "timeout", HARD), WATCHED).verdicts[0]

    assert [explained_code(verdict, each) for each in verdict.reasons] == [
        "bind.timeout",
        "monitor.ratio",
    ]


SAID = st.tuples(
    st.integers(0, 1),
    st.sampled_from(sorted(EFFECTS)),
    st.sampled_from(["slow", "split", "timeout"]),
    st.sampled_from(Trust),
)


def explains_itself(verdict: Verdict) -> bool:
    """Return whether each CRITICAL reason is remarked on, or may remove and a rule is named."""
    critical = [each for each in verdict.reasons if each.state is State.CRITICAL]
    return all(
        bool(verdict.held_by) if each.removes else bool(remark(verdict, each)) for each in critical
    )


@settings(deadline=None)
@given(st.lists(SAID, max_size=8), st.integers(0, 2))
def test_in_service_and_critical_is_never_left_unexplained(
    failures: list[tuple[int, str, str, Trust]], least: int
) -> None:
    for verdict in decided(*failures, least=least).verdicts:
        assert explains_itself(verdict) or not verdict.in_service
