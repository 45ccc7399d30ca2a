"""The plain reading of the findings is kept in the verdict, beside the result of the rules."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings

from ldaphealth.guard import Memory, Override, decide, rule_named
from ldaphealth.model import CheckEffect, Finding, State, Trust
from tests.guard.test_memory import GOOD, HARD, OURS, ROUNDS, SOFT, WORDS, Story, played
from tests.guard.test_rules import EFFECTS, FINDINGS, bad, cluster


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize("check", EFFECTS)
def test_a_reason_removes_when_it_is_critical_trusted_and_of_a_check_that_may(
    state: State, trust: Trust, check: str
) -> None:
    verdict = decide(cluster(), [bad(0, check, trust=trust, state=state)]).verdicts[0]
    removes = (
        state is State.CRITICAL
        and trust in (Trust.HARD, Trust.SOFT, Trust.EXPECTATION)
        and EFFECTS[check] is CheckEffect.OUT
    )

    assert [reason.removes for reason in verdict.reasons] == [removes] * (state is not State.OK)
    assert verdict.plain is not removes


@pytest.mark.parametrize(
    ("story", "side", "plain"),
    [
        pytest.param(Story().all(GOOD), "in", True, id="all is well"),
        pytest.param(Story().all(GOOD).round({"s0": SOFT}), "in by settle", False, id="settling"),
        pytest.param(Story().all(GOOD).all(SOFT), "in by blind", False, id="all fail alike"),
        pytest.param(
            Story(floor=4)
            .all(GOOD)
            .round({"s0": SOFT} | dict.fromkeys(("s1", "s2", "s3"), GOOD))
            .round({"s0": SOFT, "s1": GOOD})
            # the third bad round would be enough
            .round({"s0": SOFT, "s1": GOOD}),
            "in by floor",
            False,
            id="too few would be left",
        ),
        pytest.param(
            Story().all(GOOD).round({"s0": HARD, "s1": GOOD}).round({"s0": GOOD}),
            "out by settle",
            True,
            id="not out for long enough",
        ),
        pytest.param(
            Story().all(GOOD).say("s0", "drain", 60.0), "out by override", True, id="drained"
        ),
        pytest.param(
            Story().all(GOOD).round({"s0": HARD, "s1": GOOD}).say("s0", "in", 60.0),
            "in by override",
            False,
            id="forced in",
        ),
        pytest.param(
            Story().all(GOOD).round({"s0": HARD, "s1": GOOD}), "out", False, id="no service"
        ),
        pytest.param(Story().all(OURS), "in", True, id="nothing is known of any server"),
        pytest.param(
            Story().all(GOOD).round({"s0": HARD, "s1": GOOD}).round({"s0": OURS}),
            "out",
            True,
            id="it was out, and nothing is known of it now",
        ),
    ],
)
def test_the_plain_reading_beside_the_rule(story: Story, side: str, plain: bool) -> None:
    assert (story.of("s0"), story.verdicts["c/s0"].plain) == (side, plain)


@given(FINDINGS)
def test_the_plain_reading_depends_on_the_findings_alone(findings: list[Finding]) -> None:
    overrides = {f"c/s{n}": Override("out", 9.0) for n in range(4)}
    alone = decide(cluster(min_in_service=0), findings)
    again = decide(cluster(min_in_service=4), findings, alone.memory, 1.0)
    ordered = decide(cluster(), findings, Memory(overrides=overrides))

    for verdicts in (again.verdicts, ordered.verdicts):
        assert [each.plain for each in verdicts] == [each.plain for each in alone.verdicts]


@settings(max_examples=200, deadline=None)
@given(ROUNDS, WORDS)
def test_plain_removes_and_the_rule_always_fit_together(
    rounds: list[tuple[Mapping[str, str], float]], words: Mapping[str, tuple[str, float]]
) -> None:
    for story in played(rounds, words, floor=2):
        for verdict in story.verdicts.values():
            assert verdict.plain is not any(reason.removes for reason in verdict.reasons)
            rule = rule_named(verdict.held_by)
            assert (rule is None) is (verdict.held_by == "")
            if rule is not None:
                assert rule.keeps_in if verdict.in_service else rule.keeps_out
            elif verdict.in_service:
                assert verdict.plain
            elif verdict.plain:
                assert all(each.state is State.UNKNOWN for each in story.seen[verdict.server])
