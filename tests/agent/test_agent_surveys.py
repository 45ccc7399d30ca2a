"""A survey in parallel to the rounds of the agent: its result, and that it delays nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from msgspec.structs import replace

from demo import wait
from ldaphealth.agent.agent import Agent
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Failure, FailureKind, Server
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import AgentSettings, Cluster, ConfiguredCheck, Settings
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from tests.agent.surveys import NAME, Facts, Params, surveying, then
from tests.checks.seen import saw

PATIENCE_SECONDS = 10.0
REFUSED = Failure(FailureKind.CONNECT, "connection refused")
BAD: SurveyResult[Facts, Any] = SurveyResult(
    {"c/s0": SurveyFacts(Facts(bad=True), {"climb": 0.5}), "c/s1": SurveyFacts(Facts())}
)


class Told:
    """A publisher that notes everything."""

    def __init__(self) -> None:
        self.decided: list[Publication] = []

    def publish(self, decided: Publication) -> None:
        """Note it."""
        self.decided.append(decided)

    def close(self) -> None:
        """Nothing to end."""

    def surveyed(self) -> list[AnyObservation]:
        """Return all observations of surveys that were published."""
        return [seen for each in self.decided for seen in each.seen if seen.check == NAME]

    def reasons(self, server: str) -> list[str]:
        """Return the reasons of the latest verdict."""
        verdict = self.decided[-1].verdicts.get(server) if self.decided else None
        return [] if verdict is None else [reason.code for reason in verdict.reasons]


def well(
    server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
) -> list[AnyObservation]:
    del deadline
    return [replace(saw(each.check.name, at=monotonic()), server=server.id) for each in checks]


def settings(cluster: Cluster | None) -> Settings:
    paths = AgentSettings(runtime_directory=Path("/nowhere"), state_directory=Path("/nowhere"))
    return Settings({} if cluster is None else {"c": cluster}, paths)


@contextmanager
def running(
    cluster: Cluster, probe: Callable[..., list[AnyObservation]] = well
) -> Iterator[tuple[Agent, Told]]:
    told = Told()
    agent = Agent(settings(replace(cluster, interval_seconds=0.1)), [told], probe=probe)
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        yield agent, told
    finally:
        agent.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def until(condition: Callable[[], object]) -> None:
    assert wait.comes_true(condition, PATIENCE_SECONDS)


def test_it_is_judged_decided_and_told_once_to_the_publishers() -> None:
    with running(surveying(then(BAD), Params(interval_seconds=60.0))) as (agent, told):
        until(lambda: told.reasons("c/s0"))
        until(lambda: agent.counters.rounds > 6)

        assert told.reasons("c/s0") == [f"{NAME}.bad"]
        assert told.reasons("c/s1") == []
        assert [(each.server, each.timings) for each in told.surveyed()] == [
            ("c/s0", {"climb": 0.5}),
            ("c/s1", {}),
        ]


def test_rounds_do_not_have_it() -> None:
    asked: list[str] = []

    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        asked.extend(each.check.name for each in checks)
        return well(server, checks, deadline)

    with running(surveying(then(BAD)), probe) as (agent, _):
        until(lambda: agent.counters.rounds > 3)

    assert set(asked) == {"connect"}


def test_one_that_hangs_holds_up_no_round_and_no_end() -> None:
    release = threading.Event()
    try:
        with running(surveying(then(BAD, lambda _: release.wait(60.0)))) as (agent, told):
            until(lambda: agent.counters.rounds > 10)
            assert agent.counters.overruns == 0
            assert told.surveyed() == []
            began = monotonic()
        assert monotonic() - began < 2.0
    finally:
        release.set()


def test_a_survey_is_no_first_look_and_its_verdict_is_none() -> None:
    release = threading.Event()

    def silent(
        server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        release.wait(60.0)
        return well(server, checks, deadline)

    with running(surveying(then(BAD)), silent) as (_, told):
        until(told.surveyed)
        verdicts = dict(told.decided[-1].verdicts)
        release.set()
        until(lambda: told.reasons("c/s0"))

    assert verdicts == {}


def test_of_a_server_without_service_the_survey_says_nothing() -> None:
    dead = threading.Event()

    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        if dead.is_set() and server.name == "s0":
            return [replace(saw("connect", at=monotonic(), failure=REFUSED), server=server.id)]
        return well(server, checks, deadline)

    with running(surveying(then(BAD)), probe) as (_, told):
        until(lambda: told.reasons("c/s0") == [f"{NAME}.bad"])
        dead.set()
        until(lambda: told.reasons("c/s0") == ["connect.connect"])
        before = len(told.surveyed())
        until(lambda: len(told.surveyed()) > before + 3)
        assert told.reasons("c/s0") == ["connect.connect"]
        dead.clear()
        until(lambda: told.reasons("c/s0") == [f"{NAME}.bad"])


def test_a_reload_takes_up_new_settings_and_drops_what_the_old_ones_saw() -> None:
    def label(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        site.pause(60.0 if site.params.label == "old" else 0.0)
        return SurveyResult(
            {each.id: SurveyFacts(Facts(label=site.params.label)) for each in site.servers}
        )

    old = surveying(label, Params(deadline_seconds=60.0, label="old"))
    new = surveying(label, Params(label="new"), servers=3)
    with running(old) as (agent, told):
        until(lambda: agent.counters.rounds > 3)
        agent.submit(lambda: agent.reconfigure(settings(new))).result(PATIENCE_SECONDS)
        until(lambda: len({each.server for each in told.surveyed()}) == 3)

        assert {each.facts.label for each in told.surveyed() if each.facts} == {"new"}


def test_a_reload_without_it_forgets_its_opinion() -> None:
    with running(surveying(then(BAD))) as (agent, told):
        until(lambda: told.reasons("c/s0"))
        plain = replace(surveying(then(BAD)), interval_seconds=0.1)
        without = replace(plain, checks=plain.round_checks)
        agent.submit(lambda: agent.reconfigure(settings(without))).result(PATIENCE_SECONDS)
        until(lambda: not told.reasons("c/s0"))

        assert agent.pools["c"].surveyed == {"c/s0": {}, "c/s1": {}}
