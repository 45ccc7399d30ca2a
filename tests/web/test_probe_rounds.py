"""However many requests for probes there are: one round at a time, shared, of few servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from ldaphealth.ldap.deadline import Deadline
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import AnyObservation, Failure, FailureKind, Server, State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import ConfiguredCheck, Settings
from ldaphealth.web.in_thread import BusyError
from ldaphealth.web.probe import TIMEOUT_HEADER, ProbeResult, read_request
from ldaphealth.web.probe_rounds import SHARED_SECONDS, ProbeRounds
from tests.checks.seen import cluster, planned, saw
from tests.lateness import repeated_when_late
from tests.web.listening import Listening
from tests.web.listening import cluster as pool_of
from tests.web.test_probe import settings_of, source_of

CHECKS = (planned("connect"), planned("bind"), planned("unbind"))
CLUSTER = replace(cluster(*CHECKS, servers=8), deadline_seconds=1.0)
REFUSED = Failure(FailureKind.BIND, "bind: invalidCredentials", "invalidCredentials")
TAKES_SECONDS = 0.1


def session(server: str, at: float, *, refused: bool = False) -> list[AnyObservation]:
    """Return what a session observes."""
    bind = saw("bind", of=server, at=at + 0.01, failure=REFUSED if refused else None)
    return [saw("connect", of=server, at=at), bind]


class Servers:
    """Stands for the servers: it counts the sessions with each, and those at the same time."""

    def __init__(self, *, takes_seconds: float = TAKES_SECONDS) -> None:
        self.takes_seconds = takes_seconds
        self.sessions: list[str] = []
        self.deadlines: list[float] = []
        self.refusing: set[str] = set()
        self.is_broken = False
        self._counting = threading.Lock()

    def probe(
        self, server: Server, _: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        """Take a while, and return the observations."""
        with self._counting:
            self.sessions.append(server.name)
            self.deadlines.append(deadline.seconds)
        began = time.monotonic()
        time.sleep(self.takes_seconds)
        if self.is_broken:
            raise ZeroDivisionError
        return session(server.name, began, refused=server.name in self.refusing)


class Probing:
    """The rounds, with what the agent knows."""

    def __init__(self, servers: Servers) -> None:
        self.settings: Settings = settings_of(CLUSTER)
        self.live_state = LiveState()
        source = replace(source_of(self.settings, {}), live_state=self.live_state)
        self.rounds = ProbeRounds(replace(source, settings=lambda: self.settings), servers.probe)

    async def result(self, target: str, timeout_seconds: str = "") -> ProbeResult:
        """Return the result of a request with this timeout of Prometheus."""
        headers = {TIMEOUT_HEADER: timeout_seconds} if timeout_seconds else {}
        return await self.rounds.result(read_request(self.settings, {"target": target}, headers))

    def publish(self, *seen: Sequence[AnyObservation], valid_until: float = 1e18) -> None:
        """Have the agent observe these sessions."""
        by_server = {each[0].server: each for each in seen}
        verdicts: Mapping[str, Verdict] = {
            server: Verdict(server=server, state=State.OK, in_service=True, weight=100)
            for server in by_server
        }
        due = dict.fromkeys(by_server, valid_until)
        every = tuple(each for one in seen for each in one)
        self.live_state.publish(
            Publication(cluster="c", verdicts=dict(verdicts), due=due, changes=(), seen=every)
        )


def test_only_the_requested_server_is_probed() -> None:
    servers = Servers()

    asyncio.run(Probing(servers).result("c/s3"))

    assert servers.sessions == ["s3"]


def test_the_others_are_judged_by_what_the_agent_observed_last() -> None:
    async def held_by(*, stale: bool, refused: bool) -> str:
        servers = Servers()
        servers.refusing = {"s0"}
        probing = Probing(servers)
        others = [session(f"s{number}", 1.0, refused=refused) for number in range(1, 8)]
        probing.publish(*others, valid_until=0.0 if stale else 1e18)
        result = await probing.result("c/s0")
        assert servers.sessions == ["s0"]
        return {each.server: each.held_by for each in result.snapshot.verdicts}["c/s0"]

    assert asyncio.run(held_by(stale=False, refused=True)) == "blind", "all refuse the password"
    assert asyncio.run(held_by(stale=False, refused=False)) == ""
    assert asyncio.run(held_by(stale=True, refused=True)) == "", "that may have changed"


def test_requests_at_the_same_time_share_one_round() -> None:
    servers = Servers()

    async def run() -> None:
        probing = Probing(servers)
        results = await asyncio.gather(*(probing.result("c/s0") for _ in range(50)))
        assert all(each is results[0] for each in results)
        assert await probing.result("c/s0") is results[0], "for a second"
        await asyncio.sleep(SHARED_SECONDS)
        assert await probing.result("c/s0") is not results[0]

    asyncio.run(run())
    assert servers.sessions == ["s0", "s0"]


@repeated_when_late
def test_requests_that_wait_are_answered_by_one_round_together() -> None:
    servers = Servers()

    async def run() -> None:
        probing = Probing(servers)
        first = asyncio.create_task(probing.result("c/s0"))
        await asyncio.sleep(TAKES_SECONDS / 2)
        began = time.monotonic()
        rest = [probing.result(f"c/s{number}") for number in range(1, 8) for _ in range(3)]
        results = await asyncio.gather(*rest)
        assert len({id(each) for each in results}) == 1
        assert time.monotonic() - began < TAKES_SECONDS * 6, "no server after the other"
        assert first.done()

    asyncio.run(run())
    assert sorted(servers.sessions) == [f"s{number}" for number in range(8)]


def test_a_round_of_all_servers_answers_for_each() -> None:
    servers = Servers()

    async def run() -> None:
        probing = Probing(servers)
        whole = await probing.result("c")
        assert await probing.result("c/s5") is whole

    asyncio.run(run())
    assert len(servers.sessions) == 8


def test_other_checks_are_another_round() -> None:
    servers = Servers()

    async def run() -> None:
        probing = Probing(servers)
        await probing.result("c/s0")
        connect = {"target": "c/s0", "module": "connect"}
        more = replace(CLUSTER, checks=(*CHECKS, planned("search")))
        await probing.rounds.result(read_request(probing.settings, connect, {}))
        assert len(servers.sessions) == 1, "a session has connect, bind and unbind in any case"
        probing.settings = settings_of(more)
        await probing.result("c/s0")

    asyncio.run(run())
    assert len(servers.sessions) == 2


def test_a_bind_that_the_agent_saw_refused_is_not_repeated() -> None:
    servers = Servers()

    async def run() -> None:
        probing = Probing(servers)
        probing.publish(session("s0", time.monotonic(), refused=True))
        result = await probing.result("c/s0")
        [failed] = [each.failure for each in result.seen if each.failure]
        assert failed == REFUSED, "but it is reported"
        assert servers.sessions == []
        probing.publish(session("s0", time.monotonic()))
        await asyncio.sleep(SHARED_SECONDS)
        await probing.result("c/s0")

    asyncio.run(run())
    assert servers.sessions == ["s0"], "the agent was admitted again"


def test_a_bind_that_a_probe_saw_refused_is_not_repeated_before_the_agents_next_round() -> None:
    servers = Servers(takes_seconds=0.0)
    servers.refusing = {"s0"}

    async def run() -> None:
        probing = Probing(servers)
        for _ in range(3):
            result = await probing.result("c/s0")
            assert [each.failure for each in result.seen if each.failure] == [REFUSED]
            await asyncio.sleep(SHARED_SECONDS)
        assert servers.sessions == ["s0"]
        probing.publish(session("s0", time.monotonic()))
        await probing.result("c/s0")

    asyncio.run(run())
    assert servers.sessions == ["s0", "s0"]


def test_a_reload_ends_what_is_known() -> None:
    servers = Servers(takes_seconds=0.0)
    servers.refusing = {"s0"}

    async def run() -> None:
        probing = Probing(servers)
        await probing.result("c/s0")
        probing.settings = settings_of(replace(CLUSTER))
        await probing.result("c/s0")

    asyncio.run(run())
    assert servers.sessions == ["s0", "s0"]


def test_a_result_with_less_time_is_not_shared_with_a_request_that_has_more() -> None:
    servers = Servers(takes_seconds=0.0)

    async def run() -> None:
        probing = Probing(servers)
        await probing.result("c/s0", "0.5")
        await probing.result("c/s0")
        await probing.result("c/s0", "0.5")

    asyncio.run(run())
    assert servers.deadlines == [0.25, 1.0]


def test_a_request_that_waited_for_too_long_is_refused() -> None:
    servers = Servers(takes_seconds=0.8)

    async def run() -> None:
        probing = Probing(servers)
        first = asyncio.create_task(probing.result("c/s0"))
        await asyncio.sleep(0.1)
        with pytest.raises(BusyError):
            await probing.result("c/s1", "1.2")
        await first
        assert (await probing.result("c/s1")).seen

    asyncio.run(run())
    assert servers.sessions == ["s0", "s1"]


@repeated_when_late
def test_a_round_after_another_ends_in_the_time_that_is_left() -> None:
    servers = Servers(takes_seconds=0.4)

    async def run() -> None:
        probing = Probing(servers)
        first = asyncio.create_task(probing.result("c/s0"))
        await asyncio.sleep(0.1)
        await probing.result("c/s1", "1.5")
        await first

    asyncio.run(run())
    assert servers.deadlines == [1.0, pytest.approx(0.7, abs=0.1)]


def test_a_defect_leaves_no_turn_taken(caplog: pytest.LogCaptureFixture) -> None:
    servers = Servers(takes_seconds=0.0)

    async def run() -> None:
        probing = Probing(servers)
        servers.is_broken = True
        await probing.result("c/s0")
        servers.is_broken = False
        assert (await probing.result("c/s1")).seen
        probing.settings = settings_of(replace(CLUSTER, checks=()))
        await probing.result("c")

    asyncio.run(run())
    assert "a probe failed" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 403),
        ({"Sec_Fetch_Site": "anything"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:PORT"}, 200),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://127.0.0.1:PORT", "Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_a_page_of_another_site_causes_no_probe(headers: Mapping[str, str], status: int) -> None:
    nowhere = replace(pool_of("c", "a"), deadline_seconds=0.2)
    with Listening(clusters=(nowhere,)) as web:
        sent = {name: value.replace("PORT", str(web.port)) for name, value in headers.items()}

        assert web.get("/probe?target=c/a", **sent).status == status
        assert web.get("/live", **sent).status == 200
