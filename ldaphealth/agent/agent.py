"""The daemon: when to look, and what happens to what was seen. Read `tick` and `_land` first.

    schedule -> lanes (threads: probe) -> mailbox -> pool (judge, guard) -> publishers
             surveyors (threads) ------^

One thread owns everything here: threads that look, the socket and signal handlers only put letters
into the mailbox. `assembly.py` starts it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from random import random as random_share

from msgspec import Struct

from ldaphealth.agent.bulkhead import Bulkheads
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.schedule import Schedule
from ldaphealth.agent.survey_runner import SurveyEnded, SurveyRunner
from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.guard import Memory, RoundPeriod
from ldaphealth.model import AnyObservation, Server
from ldaphealth.publishers.publication import Publication, Publisher, VerdictChange
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import Probe, RoundPlan, run_round
from ldaphealth.settings import Settings

log = logging.getLogger(__name__)

LONGEST_NAP_SECONDS = 1.0  # so that the watchdog of the service manager hears of us
# A verdict holds until two rounds should have renewed it: then its reader must ask for itself.
VALID_ROUNDS = 2
AIR_SECONDS = 1.0


class AgentCounters:
    """What the agent does and suffers from, for its status and its metrics."""

    def __init__(self) -> None:
        self.rounds = 0
        self.overruns = 0
        self.deadline_misses = 0
        self.publish_errors = 0


class RoundEnded(Struct, frozen=True):
    """A letter: a round has ended."""

    target: Server
    round: RoundPeriod
    seen: Sequence[AnyObservation]


class CallRequested(Struct, frozen=True):
    """A letter: somebody wants something done by the thread that owns everything."""

    run: Callable[[], object]
    answer: Future[object]


Message = RoundEnded | SurveyEnded | CallRequested | None  # None: stop


class Agent:
    """All clusters of one configuration, looked at for ever."""

    def __init__(  # noqa: PLR0913  what a test passes in
        self,
        settings: Settings,
        publishers: Sequence[Publisher],
        *,
        memories: Mapping[str, Memory] | None = None,
        probe: Probe = probe_server,
        clock: Callable[[], BootSeconds] = boot_seconds,
        random: Callable[[], float] = random_share,
    ) -> None:
        self.settings = settings
        self.publishers = publishers
        self.counters = AgentCounters()
        self.started_at = self.ticked_at = clock()
        self._probe, self._clock = probe, clock
        self._mailbox: SimpleQueue[Message] = SimpleQueue()
        self.lanes = Bulkheads(settings.agent.threads)
        self._surveyors = SurveyRunner(self._mailbox.put, random)
        self._in_flight: set[str] = set()
        self._valid_until: dict[str, BootSeconds] = {}
        known = memories or {}
        self.pools = {
            name: Pool(cluster, known.get(name, Memory()))
            for name, cluster in settings.clusters.items()
        }
        self._schedule = Schedule({}, self.started_at, random)
        self._plan()

    @property
    def in_flight(self) -> int:
        """Return how many looks are under way or wait for a thread."""
        return len(self._in_flight)

    def valid_seconds(self) -> dict[str, float]:
        """Return for how long the verdict on each server still holds; negative: it is stale."""
        now = self._clock()
        return {
            each: self._valid_until[each] - now
            for each in self._servers
            if each in self._valid_until
        }

    def run(self, heartbeat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; `heartbeat` is called at least every second or two."""
        while True:
            wake = self.tick(self._clock())
            heartbeat()
            if not self._wait(wake):
                break
        self.lanes.close()
        self._surveyors.close()
        for publisher in self.publishers:
            try:
                publisher.close()
            except OSError as error:
                log.error("cannot end", extra={"error": str(error)})  # noqa: TRY400
            except Exception:
                log.exception("cannot end", extra={"publisher": type(publisher).__name__})

    def tick(self, now: BootSeconds) -> BootSeconds:
        """Start what is due, and return when to come again at the latest."""
        self.ticked_at = now
        for server in self._schedule.take(now):
            self._start(server)
        for pool in self.pools.values():
            if any(word.until <= now for word in pool.memory.overrides.values()):
                self.decide(pool)
        self._surveyors.start_due(now)
        next_at = min(self._schedule.next_at(), self._surveyors.next_at())
        return min(next_at, now + LONGEST_NAP_SECONDS)

    def stop(self) -> None:
        """End `run` soon; for signal handlers and other threads."""
        self._mailbox.put(None)

    def ask(self, run: Callable[[], object]) -> Future[object]:
        """Have something done by the thread that owns everything; for all other threads.

        Who does not want to wait any more cancels the answer: then it is not done either, unless
        it has begun.
        """
        answer: Future[object] = Future()
        self._mailbox.put(CallRequested(run, answer))
        return answer

    def reconfigure(self, settings: Settings) -> None:
        """Go on with other settings; what is known of servers that stay is kept."""
        before = {server: target for server, (_, target) in self._servers.items()}
        told = {name: frozenset(pool.verdicts) for name, pool in self.pools.items()}
        self.settings = settings
        self.pools = {
            name: self.pools.get(name) or Pool(cluster, Memory())
            for name, cluster in settings.clusters.items()
        }
        for name, cluster in settings.clusters.items():
            self.pools[name].reconfigure(cluster)
        self._plan()
        for server, target in before.items():  # what is under way there is about another server
            if self._servers.get(server, (None, None))[1] != target:
                self._in_flight.discard(server)
        self._take_back(told)

    def decide(self, pool: Pool) -> None:
        """Decide on a cluster and tell the publishers."""
        now = self._clock()
        changes, fresh = pool.decide(now)
        cluster = pool.cluster
        holds = VALID_ROUNDS * cluster.interval_seconds + cluster.deadline_seconds + AIR_SECONDS
        self._valid_until.update(dict.fromkeys(fresh, now + holds))
        changed = {change.after.server for change in changes}
        known = self._valid_until
        due = {each: known[each] for each in changed | fresh if each in known}
        for change in changes:
            _log_change(change)
        seen = tuple(each for server in fresh for each in pool.latest[server])
        seen += pool.take_surveyed()
        self._publish(Publication(cluster.name, dict(pool.verdicts), due, changes, seen))
        for server in pool.unwitnessed():
            self._start(server, counts=False)

    def _plan(self) -> None:
        self._servers: dict[str, tuple[Pool, Server]] = {
            server.id: (pool, server)
            for pool in self.pools.values()
            for server in pool.cluster.servers
        }
        intervals = {
            server: pool.cluster.interval_seconds for server, (pool, _) in self._servers.items()
        }
        now = self._clock()
        self._schedule.plan(intervals, now)
        self._surveyors.plan((pool.cluster for pool in self.pools.values()), now)

    def _start(self, server_id: str, *, counts: bool = True) -> None:
        if server_id in self._in_flight:  # two rounds of one server never overlap
            self.counters.overruns += counts
            return
        pool, server = self._servers[server_id]
        self._in_flight.add(server_id)
        wanted = RoundPlan(
            server,
            pool.cluster.round_checks,
            pool.cluster.deadline_seconds,
            pool.cluster.settle.confirm_seconds,
            pool.known_troubles(server_id),
        )
        run = partial(run_round, wanted, self._probe)
        try:
            self.lanes.submit(partial(self._fly, server, run), hung=server_id in pool.hung)
        except RuntimeError as error:  # it waits for one of the threads that there are
            log.warning("no thread for a look", extra={"server": server_id, "error": str(error)})

    def _fly(self, server: Server, run: Callable[[], list[AnyObservation]]) -> None:
        """Do one round in a thread of its own; whatever happens, a letter says that it ended."""
        began = self._clock()
        seen: list[AnyObservation] = []
        try:
            seen = run()
        except Exception:
            log.exception("a round failed", extra={"server": server.id})
        finally:
            self._mailbox.put(RoundEnded(server, RoundPeriod(began, self._clock()), seen))

    def _wait(self, wake: BootSeconds) -> bool:
        """Read the mailbox until there is nothing more to do now; False: stop."""
        letters: list[Message] = []
        try:
            letters.append(self._mailbox.get(timeout=max(0.0, wake - self._clock())))
            while True:
                letters.append(self._mailbox.get_nowait())
        except Empty:
            pass
        landed = [letter for letter in letters if isinstance(letter, RoundEnded)]
        self._land(landed)
        for letter in letters:
            if isinstance(letter, SurveyEnded):
                self._land_survey(letter)
            if isinstance(letter, CallRequested):
                _answer(letter)
        return None not in letters

    def _land(self, landed: Iterable[RoundEnded]) -> None:
        touched: dict[str, Pool] = {}
        for letter in landed:
            self.counters.rounds += 1
            pool, now_there = self._servers.get(letter.target.id, (None, None))
            if pool is None or now_there != letter.target:  # a reload came between
                continue
            self._in_flight.discard(letter.target.id)
            if letter.seen:
                pool.land(letter.target.id, letter.seen, letter.round)
                self.counters.deadline_misses += letter.target.id in pool.hung
                touched[pool.cluster.name] = pool
        for pool in touched.values():
            self.decide(pool)

    def _land_survey(self, report: SurveyEnded) -> None:
        seen = self._surveyors.land(report)
        pool = self.pools.get(report.run.cluster.name)
        if pool is not None and seen:
            pool.land_survey(seen)
            self.decide(pool)

    def _take_back(self, told: Mapping[str, frozenset[str]]) -> None:
        """Have nobody tell what was said of servers that are gone, or are others by now."""
        for name, servers in told.items():
            verdicts = dict(self.pools[name].verdicts) if name in self.pools else {}
            gone = servers - verdicts.keys()
            for server in gone:
                self._valid_until.pop(server, None)
            if gone:
                self._publish(Publication(name, verdicts, {}, (), ()))

    def _publish(self, decided: Publication) -> None:
        for publisher in self.publishers:
            self._tell(publisher, decided)

    def _tell(self, publisher: Publisher, decided: Publication) -> None:
        try:
            publisher.publish(decided)
        except OSError as error:
            self.counters.publish_errors += 1
            what = type(publisher).__name__
            log.error("cannot publish", extra={"publisher": what, "error": str(error)})  # noqa: TRY400
        except Exception:  # a defect of one must not keep the others from telling
            self.counters.publish_errors += 1
            log.exception("cannot publish", extra={"publisher": type(publisher).__name__})


def _answer(letter: CallRequested) -> None:
    if not letter.answer.set_running_or_notify_cancel():
        return  # nobody waits for it any more
    try:
        letter.answer.set_result(letter.run())
    except Exception as error:
        letter.answer.set_exception(error)


def _log_change(change: VerdictChange) -> None:
    verdict = change.after
    level = logging.INFO if verdict.in_service else logging.WARNING
    log.log(
        level,
        "verdict",
        extra={
            "server": verdict.server,
            "in_service": verdict.in_service,
            "was_in_service": change.before.in_service if change.before else None,
            "weight": verdict.weight,
            "state": verdict.state.name,
            "held_by": verdict.held_by,
            "reasons": ",".join(reason.code for reason in verdict.reasons),
        },
    )
