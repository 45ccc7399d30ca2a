"""The main loop of the daemon. Read `tick` and `_handle_rounds` first.

    schedule -> rounds (event loop: probe) -> mailbox -> pool (judge, guard) -> publishers
             survey runner (threads) -----^

One thread owns all state. The rounds, the surveys, the control socket and the signal handlers only
put messages into the mailbox. `assembly.py` starts the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from math import inf
from random import random as random_share
from time import monotonic, sleep

from msgspec import Struct

from ldaphealth.agent.free_memory import FreeMemory
from ldaphealth.agent.mailbox import Mailbox
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Follower
from ldaphealth.agent.running_clock import LatenessLog, RunningClock
from ldaphealth.agent.schedule import JITTER, Schedule
from ldaphealth.agent.survey_runner import SurveyEnded, SurveyRunner
from ldaphealth.agent.verdict_log import log_change
from ldaphealth.clocks import (
    BootSeconds,
    EpochSeconds,
    MonotonicSeconds,
    boot_seconds,
    whole_microseconds,
)
from ldaphealth.event_loop import EventLoop
from ldaphealth.guard import Memory, RoundPeriod
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.session import open_session
from ldaphealth.model import AnyObservation, Server
from ldaphealth.publishers.publication import (
    BaselineChange,
    Publication,
    Publisher,
)
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import (
    Probe,
    RoundPlan,
    last_answer,
    last_probe,
    lost_at,
    run_round,
    silent_since,
)
from ldaphealth.rounds.session_plans import SessionPlans
from ldaphealth.settings import Cluster, Settings
from ldaphealth.survey import Past, without_past

log = logging.getLogger(__name__)

MAX_SLEEP_SECONDS = 1.0  # the watchdog of the service manager expects a regular signal
# Rounds that end well within this time are judged together, which takes less CPU where there are
# many. It is a small part of the shortest interval, at most. A failure does not wait, nor does a
# round that was begun because a rule waits for it. Rounds that begin together would be judged for
# even less, but then the answers to each wait for the others, and the servers seem slow.
BATCH_SECONDS, BATCH_SHARE = 0.05, 0.01
# A verdict is valid until two rounds should have renewed it. Then its reader must check by itself.
VALID_ROUNDS = 2
MARGIN_SECONDS = 1.0
STANDSTILL_SECONDS = 10.0  # of the event loop of the rounds, which no call may block


class AgentCounters:
    """Counts of rounds and of errors, for the status and the metrics of the agent."""

    def __init__(self) -> None:
        self.rounds = 0
        self.overruns = 0
        self.deadline_misses = 0
        self.publish_errors = 0


class RoundEnded(Struct, frozen=True):
    """A message: a round has ended."""

    target: Server
    round: RoundPeriod
    seen: Sequence[AnyObservation]


class CallRequested(Struct, frozen=True):
    """A message: another thread requests that the agent's thread calls `run`."""

    run: Callable[[], object]
    answer: Future[object]


Message = RoundEnded | SurveyEnded | CallRequested | None  # None: stop


class Agent:
    """All clusters of one configuration, probed until the agent is stopped."""

    def __init__(  # noqa: PLR0913  tests replace some of them
        self,
        settings: Settings,
        publishers: Sequence[Publisher],
        *,
        memories: Mapping[str, Memory] | None = None,
        probe: Probe | None = None,
        clock: Callable[[], BootSeconds] = boot_seconds,
        random: Callable[[], float] = random_share,
        past: Past = without_past,
    ) -> None:
        self.settings = settings
        # Set by the callers that read the file: when, and a sentence on a reload that failed.
        self.config_read_epoch_seconds: EpochSeconds = 0.0
        self.reload_failure = ""
        self.publishers = publishers
        self.counters = AgentCounters()
        self.started_at = self.ticked_at = clock()
        self.accounts = Accounts(lasts=True)
        self._session_plans = SessionPlans()
        self.probe = probe or partial(
            probe_server, accounts=self.accounts, plans=self._session_plans
        )
        self._clock, self._random = clock, random
        self.running = RunningClock()
        self._lateness_log = LatenessLog()
        self._mailbox: Mailbox[Message] = Mailbox()
        self._batch_seconds = BATCH_SECONDS
        self.rounds = EventLoop("rounds", self.running.now)
        self._survey_runner = SurveyRunner(
            self._mailbox.put,
            random,
            self.running.now,
            partial(open_session, accounts=self.accounts),
            past,
        )
        self._overrides_due_at: BootSeconds = 0.0
        self._free_memory = FreeMemory(self.started_at)
        self._in_flight: set[str] = set()
        self._awaited: set[str] = set()  # servers for whose round a rule waits
        self._valid_until: dict[str, BootSeconds] = {}
        known = memories or {}
        self.pools = {
            name: Pool(cluster, known.get(name, Memory()))
            for name, cluster in settings.clusters.items()
        }
        self._followers: list[Follower] = []
        self._schedule = Schedule({}, self.started_at, random)
        self._plan()

    def follow(self, follower: Follower) -> None:
        """Notify a follower of all that changes a pool, also of one that a reload adds."""
        self._followers.append(follower)
        for pool in self.pools.values():
            pool.follow(follower)

    @property
    def in_flight(self) -> int:
        """Return how many rounds are in progress or wait to begin."""
        return len(self._in_flight)

    def valid_seconds(self) -> dict[str, float]:
        """Return for how many seconds the verdict on each server is valid; negative: stale."""
        now = self._clock()
        return {
            each: self._valid_until[each] - now
            for each in self._servers
            if each in self._valid_until
        }

    def run(self, heartbeat: Callable[[], None] = lambda: None) -> None:
        """Run until `stop` is called.

        `heartbeat` is called at least every second or two, unless the rounds stand still: then a
        service manager should start the agent anew.
        """
        self.running.start()
        while True:
            wake = self.tick(now := self._clock())
            if self.ticked_at == now:
                heartbeat()
            if not self._wait(wake):
                break
        self.rounds.shutdown(wait=False, cancel_futures=True)
        self._survey_runner.close()
        self.running.close()
        for publisher in self.publishers:
            try:
                publisher.close()
            except OSError as error:
                log.error("cannot close", extra={"error": str(error)})  # noqa: TRY400
            except Exception:
                log.exception("cannot close", extra={"publisher": type(publisher).__name__})

    def tick(self, now: BootSeconds) -> BootSeconds:
        """Start the rounds and surveys that are due. Return when to call it again at the latest."""
        if self._rounds_go_on():
            self.ticked_at = now
        self._lateness_log.report(self.running.lateness, now)
        due = self._schedule.take(now)
        if not self._in_flight.isdisjoint(due):  # a round may have ended, and not been handled yet
            self._handle_rounds(self._mailbox.take_patient())
        for server in due:
            self._start(server)
        for server in self._schedule.take_hurried(now):
            self._start(server, counts=False)
        if now >= self._overrides_due_at:
            self._overrides_due_at = now + MAX_SLEEP_SECONDS
            self._end_overrides(now)
        self._survey_runner.start_due(now)
        self._free_memory.return_if_due(now)
        next_at = min(self._schedule.next_at(), self._survey_runner.next_at())
        return min(next_at, now + MAX_SLEEP_SECONDS)

    def _rounds_go_on(self) -> bool:
        """Return whether the event loop of the rounds goes on; log where it stands if not."""
        if not self.rounds.is_alive:
            log.error("no server is probed, because the event loop has ended")
            return False
        seconds = self.rounds.busy_seconds
        if seconds < STANDSTILL_SECONDS:
            return True
        error = f"a check does not give way: {self.rounds.where()}"
        extra = {"error": error, "seconds": round(seconds)}
        log.error("no server is probed, because the event loop stands still", extra=extra)
        return False

    def _end_overrides(self, now: BootSeconds) -> None:
        for pool in self.pools.values():
            if any(override.until <= now for override in pool.memory.overrides.values()):
                self.decide(pool)

    def stop(self) -> None:
        """Make `run` return soon. Signal handlers and other threads may call it."""
        self._mailbox.put(None)

    def submit(self, run: Callable[[], object]) -> Future[object]:
        """Request that the agent's thread calls `run`. Any other thread may call this.

        A caller that does not wait any longer cancels the future. Then `run` is not called, unless
        it has already begun.
        """
        answer: Future[object] = Future()
        self._mailbox.put(CallRequested(run, answer))
        return answer

    def reconfigure(self, settings: Settings) -> None:
        """Replace the settings. The state of servers that remain is kept."""
        before = {server: target for server, (_, target) in self._servers.items()}
        published = {name: frozenset(pool.verdicts) for name, pool in self.pools.items()}
        self.settings = settings
        self.accounts.reload()
        for name, pool in self.pools.items():
            if name not in settings.clusters:
                pool.end()
        self.pools = {
            name: self.pools.get(name) or self._added_pool(cluster)
            for name, cluster in settings.clusters.items()
        }
        for name, cluster in settings.clusters.items():
            self.pools[name].reconfigure(cluster)
        self._plan()
        for server, target in before.items():  # a round in progress there is of the old server
            if self._servers.get(server, (None, None))[1] != target:
                self._in_flight.discard(server)
        self._withdraw(published)

    def _added_pool(self, cluster: Cluster) -> Pool:
        pool = Pool(cluster, Memory())
        for follower in self._followers:
            pool.follow(follower)
        return pool

    def decide(self, pool: Pool) -> None:
        """Decide on a cluster and publish the decision."""
        now = self._clock()
        changes, fresh = pool.decide(now)
        cluster = pool.cluster
        valid = VALID_ROUNDS * cluster.interval_seconds + cluster.deadline_seconds + MARGIN_SECONDS
        self._valid_until.update(dict.fromkeys(fresh, now + valid))
        changed = {change.after.server for change in changes}
        known = self._valid_until
        due = {each: known[each] for each in changed | fresh if each in known}
        baselines = pool.take_baselines()
        seen = tuple(each for server in fresh for each in pool.latest[server])
        seen += pool.take_surveyed()
        self._publish(
            Publication(
                cluster=cluster.name,
                verdicts=pool.verdicts,
                due=due,
                changes=changes,
                seen=seen,
                baselines=baselines,
            )
        )
        for change in changes:
            log_change(change)
        for baseline in baselines:
            _log_baseline(baseline)
        for server in pool.servers_to_probe_now():
            self._start(server, counts=False)
        settle = cluster.settle
        if settle.doubt_interval_seconds < cluster.interval_seconds:
            for server in pool.in_doubt(fresh):
                jitter = 1.0 + JITTER * self._random()
                self._schedule.hurry(server, now + settle.doubt_interval_seconds * jitter)

    def _plan(self) -> None:
        self._servers: dict[str, tuple[Pool, Server]] = {
            server.id: (pool, server)
            for pool in self.pools.values()
            for server in pool.cluster.servers
        }
        intervals = {
            server: pool.cluster.interval_seconds for server, (pool, _) in self._servers.items()
        }
        self._session_plans.replace_servers(server for _, server in self._servers.values())
        now = self._clock()
        shortest = min(intervals.values(), default=inf)
        self._batch_seconds = min(BATCH_SECONDS, shortest * BATCH_SHARE)
        self._schedule.plan(intervals, now)
        self._survey_runner.plan((pool.cluster for pool in self.pools.values()), now)

    def _start(self, server_id: str, *, counts: bool = True) -> None:
        if not counts:
            self._awaited.add(server_id)
        if server_id in self._in_flight:  # two rounds of one server never overlap
            self._note_left_out(server_id, counts=counts)
            return
        pool, server = self._servers[server_id]
        self._in_flight.add(server_id)
        plan = RoundPlan(
            server,
            pool.due_checks(server),
            pool.cluster.deadline_seconds,
            pool.cluster.settle.confirm_seconds,
            pool.known_failures(server_id),
        )
        run = partial(run_round, plan, self.probe, self.rounds, now=self.rounds.now)
        self.rounds.submit(self._run_round, server, run)

    def _note_left_out(self, server_id: str, *, counts: bool) -> None:
        """Count and log a round that is left out, once a minute for each server."""
        if not counts:
            return
        self.counters.overruns += 1
        pool, _ = self._servers[server_id]
        cause = "does not answer" if server_id in pool.hung else "is slow"
        why = f"the server {cause}, or this host is too slow"
        extra = {
            "server": server_id,
            "error": f"the round before has not ended: {why}",
            "interval_seconds": pool.cluster.interval_seconds,
            "deadline_seconds": pool.cluster.deadline_seconds,
        }
        log.warning("round left out", extra=extra)

    def _run_round(self, server: Server, run: Callable[[], list[AnyObservation]]) -> None:
        """Run one round in the event loop. A message reports its end, in any case."""
        began = self._clock()
        seen: list[AnyObservation] = []
        try:
            seen = run()
        except Exception:
            log.exception("a round failed", extra={"server": server.id})
        finally:
            ended = RoundEnded(server, self._period(began, seen), seen)
            is_well = bool(seen) and all(each.failure is None for each in seen)
            if is_well and server.id not in self._awaited:
                self._mailbox.put_patient(ended)
            else:
                self._mailbox.put(ended)

    def _period(self, began: BootSeconds, seen: Sequence[AnyObservation]) -> RoundPeriod:
        """Return when the round and some of its probes began, and when it ended."""
        ended, monotonic_ended = self._clock(), monotonic()

        def on_boot_clock(at: MonotonicSeconds | None) -> BootSeconds | None:
            if at is None:
                return None
            return max(began, whole_microseconds(ended - (monotonic_ended - at)))

        return RoundPeriod(
            began=began,
            ended=ended,
            last_began=on_boot_clock(last_probe(seen)),
            silent_since=on_boot_clock(silent_since(seen)),
            answered=on_boot_clock(last_answer(seen)),
            lost_at=on_boot_clock(lost_at(seen)),
        )

    def _wait(self, wake: BootSeconds) -> bool:
        """Wait for messages until `wake` and handle all of them. Return False to stop."""
        messages = self._mailbox.take(wake - self._clock(), self._batch_seconds)
        self._handle_rounds(messages)
        for message in messages:
            if isinstance(message, SurveyEnded):
                self._handle_survey(message)
            if isinstance(message, CallRequested):
                _call(message)
        return None not in messages

    def _handle_rounds(self, ended: Iterable[Message]) -> None:
        """Judge the rounds that have ended, and decide once on each of their clusters."""
        changed: dict[str, Pool] = {}
        for message in ended:
            if not isinstance(message, RoundEnded):
                continue
            self.counters.rounds += 1
            self._awaited.discard(message.target.id)
            pool, current = self._servers.get(message.target.id, (None, None))
            if pool is None or current != message.target:  # the settings were reloaded meanwhile
                continue
            self._in_flight.discard(message.target.id)
            if message.seen:
                pool.add_round(message.target.id, message.seen, message.round)
                self.counters.deadline_misses += message.target.id in pool.hung
                changed[pool.cluster.name] = pool
                sleep(0)  # else the answers to other rounds would be read late, and seem slow
        for pool in changed.values():
            if returned := pool.take_returned():
                self._survey_runner.hurry(pool.cluster.name, returned, self._clock())
            self.decide(pool)

    def _handle_survey(self, message: SurveyEnded) -> None:
        seen = self._survey_runner.accept(message)
        pool = self.pools.get(message.run.cluster.name)
        if pool is not None and seen:
            pool.add_survey(seen)
            self.decide(pool)

    def _withdraw(self, published: Mapping[str, frozenset[str]]) -> None:
        """Have the publishers drop servers that were removed, or whose ID is of another server."""
        for name, servers in published.items():
            verdicts = self.pools[name].verdicts if name in self.pools else Verdicts()
            removed = servers - verdicts.keys()
            for server in removed:
                self._valid_until.pop(server, None)
            if removed:
                self._publish(
                    Publication(cluster=name, verdicts=verdicts, due={}, changes=(), seen=())
                )

    def _publish(self, decided: Publication) -> None:
        for publisher in self.publishers:
            self._publish_to(publisher, decided)

    def _publish_to(self, publisher: Publisher, decided: Publication) -> None:
        try:
            publisher.publish(decided)
        except OSError as error:
            self.counters.publish_errors += 1
            name = type(publisher).__name__
            log.error("cannot publish", extra={"publisher": name, "error": str(error)})  # noqa: TRY400
        except Exception:  # a defect of one publisher must not stop the others
            self.counters.publish_errors += 1
            log.exception("cannot publish", extra={"publisher": type(publisher).__name__})


def _call(message: CallRequested) -> None:
    if not message.answer.set_running_or_notify_cancel():
        return  # it was cancelled
    try:
        message.answer.set_result(message.run())
    except Exception as error:
        message.answer.set_exception(error)
        del message  # the traceback of the error has this frame: a cycle


def _log_baseline(baseline: BaselineChange) -> None:
    extra = {
        "cluster": baseline.cluster,
        "check": baseline.check,
        "accepted_by": baseline.accepted_by,
        "summary": baseline.summary,
    }
    log.warning("new baseline", extra=extra)
