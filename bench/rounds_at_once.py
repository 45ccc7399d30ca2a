"""CPU of rounds that run at once, in one event loop and in threads, also while servers hang.

`make bench` runs it. The rounds are those of the checks that are on by default, on one slapd; the
pairs alternate. While servers hang, as many sessions as there are servers wait for an answer
beside the rounds that are measured: an event loop has one thread for all, else each has its own.
"""

from __future__ import annotations

import resource
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from time import monotonic, process_time

from msgspec.structs import replace

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, PEOPLE, SUFFIX
from ldaphealth.checks import BUILT_IN, OFF_WITHOUT_SETTINGS
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.event_loop import EventLoop
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, BindMethod, Credentials, Secret, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.rounds.session_plans import SessionPlans
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.workers import Workers
from tests.hostile.servers import unaccepted

PAIRS = 11
ROUNDS = 200
AT_ONCE = 32
HUNG = 400
DEADLINE_SECONDS = 30.0


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Cluster(size=1) as cluster:
        server = usual_server(cluster)
        print(f"{'':40} {'threads':>10} {'event loop':>13}   ratio")
        for hung in (0, HUNG):
            beside = f"beside {hung} that hang" if hung else "all are well"
            for what, (threads, loop) in _measure(server, hung).items():
                ratio = statistics.median(b / a for a, b in zip(threads, loop, strict=True))
                medians = [statistics.median(each) * 1e3 for each in (threads, loop)]
                print(f"{what}, {beside}".ljust(38), end="")
                print(f" {medians[0]:9.2f} ms {medians[1]:10.2f} ms {ratio:7.2f}")


def usual_server(cluster: Cluster) -> Server:
    """Return the first server of a cluster, with the account for checks."""
    return Server(
        cluster="bench",
        name="ldap1",
        uri=cluster.nodes[0].uri,
        suffix=SUFFIX,
        credentials=Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD)),
    )


def usual_checks() -> list[ConfiguredCheck]:
    """Return the checks that are on by default, which find people."""
    return [
        ConfiguredCheck(
            check, SearchParams(base=PEOPLE) if name == "search" else check.params(), check.effect
        )
        for name, check in BUILT_IN.items()
        if check.observe is not None and name not in OFF_WITHOUT_SETTINGS
    ]


def _measure(server: Server, hung: int) -> Mapping[str, tuple[list[float], list[float]]]:
    """Return the seconds of CPU, and of time, of a round in threads and in an event loop."""
    found: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    plan, plans = usual_checks(), SessionPlans()
    plans.replace_servers([server])
    probe = partial(probe_server, accounts=Accounts(), plans=plans)
    for _ in range(PAIRS):
        for place in (0, 1):
            calls: Executor = EventLoop("rounds") if place else Workers("rounds", AT_ONCE + hung)
            second = calls if place else Workers("second", AT_ONCE)
            run = partial(run_round, RoundPlan(server, plan, DEADLINE_SECONDS, 1.0), probe, second)
            with unaccepted() as port:
                uri = f"ldap://127.0.0.1:{port}"
                other = replace(server, uri=uri, credentials=Credentials())
                for _ in range(hung):
                    deadline = Deadline.after(DEADLINE_SECONDS)
                    calls.submit(probe, other, plan[:2], deadline)
                run_rounds(calls, run, AT_ONCE)
                spent, began = process_time(), monotonic()
                run_rounds(calls, run, ROUNDS)
                found["CPU a round"][place].append((process_time() - spent) / ROUNDS)
                found["time a round"][place].append((monotonic() - began) / ROUNDS)
            calls.shutdown()  # those that hang end now: their connections are reset
            second.shutdown(wait=False)
    return found


def run_rounds(calls: Executor, run: Callable[[], list[AnyObservation]], rounds: int) -> None:
    """Run so many rounds, AT_ONCE at a time."""
    running: set[Future[list[AnyObservation]]] = set()
    for _ in range(rounds):
        if len(running) == AT_ONCE:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            _check(done)
        running.add(calls.submit(run))
    _check(wait(running).done)


def _check(done: Iterable[Future[list[AnyObservation]]]) -> None:
    for each in done:
        failures = [seen.failure for seen in each.result() if seen.failure]
        assert not failures, failures


if __name__ == "__main__":
    main()
