"""One trial: a cluster, all checkers beside each other, one fault in and out again.

`bench/faults/__main__.py` runs trials in processes of their own.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
import traceback
from pathlib import Path

from bench.faults import evidence
from bench.faults.checkers import (
    CONFIGURATIONS,
    Agent,
    Polling,
    Watcher,
    apply_canaries,
    check_ldap,
    configuration,
    tcp_connect,
)
from bench.faults.fault import Fault
from bench.faults.scoring import SERVERS, Trial
from bench.faults.site import Site
from bench.faults.table import FAULTS
from demo import wait

CHECKERS = ("TCP connect", "check_ldap", *CONFIGURATIONS)
HEALTHY_SECONDS = 30.0
WARM_UP_INTERVALS = 3.5
SETTLED_SECONDS = 6.0
RECOVERY_SECONDS = 60.0
PAUSE_SECONDS = 0.1


def measure(name: str, interval_seconds: float, seed: int) -> Trial:
    """Run the trial of one fault of the table; name and result can go to another process and back.

    Raises RuntimeError with what went wrong: not every exception can be pickled.
    """
    fault = next(each for each in FAULTS if each.name == name)
    try:
        return run(fault, interval_seconds, seed)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        message = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        raise RuntimeError(message) from None


def run(fault: Fault, interval_seconds: float, seed: int) -> Trial:
    """Inject a fault and return what each checker did.

    Raises TimeoutError if the checkers do not find a healthy cluster before, and what the cluster
    raises when it does not start.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="ldaphealth-faults-"))
        stack.callback(shutil.rmtree, directory)
        site = stack.enter_context(Site(fault.shape, seed))
        apply_canaries(site, directory, list(CONFIGURATIONS))
        fault.prepare(site)
        checkers = _started(stack, site, directory, interval_seconds, seed)
        time.sleep(WARM_UP_INTERVALS * interval_seconds)
        wait.until(lambda: _all_in(checkers), HEALTHY_SECONDS, "not all servers are in service")
        return _measure(fault, site, checkers)


def _started(
    stack: contextlib.ExitStack,
    site: Site,
    directory: Path,
    interval_seconds: float,
    seed: int,
) -> dict[str, Watcher]:
    checkers: dict[str, Watcher] = {}
    for number, (name, settings) in enumerate(CONFIGURATIONS.items()):
        own = directory / str(number)
        document = configuration(site, own, settings, interval_seconds)
        checkers[name] = stack.enter_context(Agent(own, document))
    for name, probe in (("TCP connect", tcp_connect), ("check_ldap", check_ldap)):
        polling = Polling(probe(site, interval_seconds), interval_seconds, seed)
        checkers[name] = stack.enter_context(polling)
    return checkers


def _measure(fault: Fault, site: Site, checkers: dict[str, Watcher]) -> Trial:
    for checker in checkers.values():
        checker.changes.clear()
    with _Probes(fault, site) as probes:
        began = time.monotonic()
        fault.inject(site)
        probes.injected.set()
        time.sleep(max(0.0, began + fault.hold_seconds - time.monotonic()))
        reasons = {
            name: checker.reasons()
            for name, checker in checkers.items()
            if isinstance(checker, Agent)
        }
    undone = time.monotonic()
    fault.undo(site)
    healed = time.monotonic()
    time.sleep(SETTLED_SECONDS)
    with contextlib.suppress(TimeoutError):
        left = healed + RECOVERY_SECONDS - time.monotonic()
        wait.until(lambda: _all_in(checkers), left, "not all servers are back")
    return Trial(
        fault=fault.name,
        began=began,
        undone=undone,
        ended=time.monotonic(),
        changes={name: tuple(checker.changes) for name, checker in checkers.items()},
        not_shown=dict(probes.not_shown),
        reasons=reasons,
    )


def _all_in(checkers: dict[str, Watcher]) -> bool:
    return all(all(checker.in_service.values()) for checker in checkers.values())


class _Probes:
    """Control probes beside the fault, one thread a server, each until its evidence is seen.

    A fault may last for a moment, so it is probed from the beginning; that the other servers
    are healthy is probed while it is in.
    """

    def __init__(self, fault: Fault, site: Site) -> None:
        self.not_shown: dict[int, str] = {}
        self.injected = threading.Event()
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._probe, args=(site, server, fault.shows.get(server)))
            for server in SERVERS
        ]

    def __enter__(self) -> _Probes:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.injected.set()
        for thread in self._threads:
            thread.join()

    def _probe(self, site: Site, server: int, struck: evidence.Evidence | None) -> None:
        wanted = struck or evidence.HEALTHY
        self.not_shown[server] = "not probed"
        if not struck:
            self.injected.wait()
        while self.not_shown.get(server):
            seen = wanted.is_shown(site, server)
            self.not_shown[server] = f"{wanted.what} expected, {seen} seen" if seen else ""
            if self._done.wait(PAUSE_SECONDS):
                break
        if not self.not_shown[server]:
            del self.not_shown[server]
