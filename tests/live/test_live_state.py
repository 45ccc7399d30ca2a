"""The live state shows the latest of every cluster, and nothing of what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ldaphealth.live.live_state import KEPT_CHANGES, LiveState
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, State, Verdict
from ldaphealth.octaves import octaves_of
from ldaphealth.publishers.publication import Publication, VerdictChange
from ldaphealth.publishers.shadow_publication import ShadowChange, ShadowPublication, beside

CONNECT = Failure(FailureKind.CONNECT, "refused")


def verdict(server: str, *, in_service: bool = True) -> Verdict:
    return Verdict(
        server=server,
        state=State.OK if in_service else State.CRITICAL,
        in_service=in_service,
        weight=100 * in_service,
    )


def seen(server: str, check: str, seconds: float, failure: Failure | None = None) -> AnyObservation:
    return Observation(
        server=server,
        check=check,
        started_at=10.0,
        duration_seconds=seconds,
        facts={},
        timings={check: seconds},
        failure=failure,
    )


def decided(
    *verdicts: Verdict,
    due: Mapping[str, float],
    observations: Sequence[AnyObservation] = (),
    changes: Sequence[VerdictChange] = (),
) -> Publication:
    by_server = {each.server: each for each in verdicts}
    return Publication(
        cluster=verdicts[0].server.partition("/")[0],
        verdicts=by_server,
        due=due,
        changes=changes,
        seen=observations,
    )


@pytest.fixture
def live_state() -> LiveState:
    live_state = LiveState(clock=lambda: 1_000.0)
    round_ = [seen("c/a", "connect", 0.25), seen("c/a", "bind", 0.5)]
    live_state.publish(decided(verdict("c/a"), due={"c/a": 20.0}, observations=round_))
    return live_state


def test_a_verdict_is_shown_until_it_holds_no_more(live_state: LiveState) -> None:
    known = live_state.view.clusters["c"]["c/a"]

    assert known.verdict == verdict("c/a")
    assert [known.is_stale(now) for now in (19.9, 20.0)] == [False, True]


def test_what_a_shadow_decided_is_beside_the_verdict_and_counted(live_state: LiveState) -> None:
    out = verdict("c/a", in_service=False)
    shadow = beside(verdict("c/a"), out)
    judged = ShadowPublication(
        cluster="c", verdicts={"c/a": shadow}, changes=[ShadowChange(shadow)]
    )
    live_state.publish_shadow(judged)
    live_state.publish_shadow(judged)
    live_state.publish(decided(verdict("c/a"), due={"c/a": 30.0}))
    live_state.publish_shadow(ShadowPublication(cluster="gone", verdicts={"gone/a": shadow}))
    known = live_state.view.clusters["c"]["c/a"]

    assert (known.verdict, known.shadow, known.shadow_changes) == (verdict("c/a"), shadow, 1)
    assert live_state.view.changes == ()
    live_state.publish_shadow(ShadowPublication(cluster="c"))
    assert live_state.view.clusters["c"]["c/a"].shadow is None


def test_times_add_up_over_rounds(live_state: LiveState) -> None:
    again = [seen("c/a", "connect", 0.75)]
    live_state.publish(decided(verdict("c/a"), due={"c/a": 30.0}, observations=again))
    known = live_state.view.clusters["c"]["c/a"]

    assert known.times["connect"] == octaves_of([0.25, 0.75])
    assert sum(known.times["bind"].counts.values()) == 1
    assert known.rounds == 2
    assert {check: each.duration_seconds for check, each in known.seen.items()} == {
        "connect": 0.75,
        "bind": 0.5,
    }


def test_a_failure_that_was_gone_on_a_second_look_is_no_failed_round(live_state: LiveState) -> None:
    confirmed = [seen("c/a", "connect", 0.1, CONNECT), seen("c/a", "connect", 0.1)]
    live_state.publish(decided(verdict("c/a"), due={"c/a": 30.0}, observations=confirmed))
    assert live_state.view.clusters["c"]["c/a"].failed_rounds == 0

    failed = [seen("c/a", "connect", 0.1, CONNECT)]
    live_state.publish(decided(verdict("c/a"), due={"c/a": 40.0}, observations=failed))
    assert live_state.view.clusters["c"]["c/a"].failed_rounds == 1


def test_a_decision_without_a_round_of_a_server_renews_nothing_of_it(live_state: LiveState) -> None:
    live_state.publish(decided(verdict("c/a"), verdict("c/b"), due={"c/b": 30.0}))
    known = live_state.view.clusters["c"]["c/a"]

    assert (known.valid_until, known.rounds) == (20.0, 1)


def test_a_survey_that_ended_is_no_round(live_state: LiveState) -> None:
    for failure in (None, CONNECT):
        surveyed = [seen("c/a", "propagation", 0.5, failure)]
        live_state.publish(decided(verdict("c/a"), due={}, observations=surveyed))
    known = live_state.view.clusters["c"]["c/a"]

    assert (known.rounds, known.failed_rounds) == (1, 0)
    assert known.seen["propagation"].failure == CONNECT


def test_a_view_that_was_taken_does_not_change(live_state: LiveState) -> None:
    before = live_state.view
    live_state.publish(decided(verdict("c/a", in_service=False), due={"c/a": 30.0}))

    assert before.clusters["c"]["c/a"].verdict.in_service
    assert not live_state.view.clusters["c"]["c/a"].verdict.in_service


def test_servers_and_clusters_that_are_gone_are_not_shown(live_state: LiveState) -> None:
    live_state.publish(decided(verdict("c/b"), due={"c/b": 30.0}))
    assert list(live_state.view.clusters["c"]) == ["c/b"]

    live_state.publish(decided(verdict("d/x"), due={"d/x": 30.0}))
    live_state.publish(Publication(cluster="c", verdicts={}, due={}, changes=(), seen=()))
    assert [server for server, _ in live_state.view.servers()] == ["d/x"]


def test_the_newest_changes_are_kept_and_no_more(live_state: LiveState) -> None:
    for number in range(KEPT_CHANGES + 1):
        change = VerdictChange(None, verdict("c/a", in_service=bool(number % 2)))
        live_state.publish(decided(change.after, due={}, changes=[change]))

    assert len(live_state.view.changes) == KEPT_CHANGES
    assert live_state.view.changes[0].change.after.in_service is bool(KEPT_CHANGES % 2)
