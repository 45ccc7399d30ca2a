"""How late this machine makes what a test measures, so that no test needs a quiet machine.

Linux counts for each thread how long it could have run and got no CPU: the second number in
/proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst of Linux). On a quiet machine
that is nothing, and a bound is what it says. On a busy one it is subtracted from what was measured,
or the test is repeated.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import ParamSpec, Self

SAMPLE_SECONDS = 0.02  # a thread that ends between two samples leaves out what was since the first
LATE_SECONDS = 0.05  # less is no excuse
TRIES = 6
MOST_TIMES = 10  # so that a wait ends where more threads are late than one

P = ParamSpec("P")


class Stopwatch:
    """The seconds in its block, and how long threads waited for a CPU meanwhile.

    Threads are those of this process and of those that it started.
    """

    def __init__(self) -> None:
        self._first: dict[Path, float] = {}
        self._latest: dict[Path, float] = {}
        self._ended = threading.Event()
        self._ended_at = 0.0
        self._sampling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="stopwatch", daemon=True)

    def __enter__(self) -> Self:
        self._first = dict(_waits())
        self._thread.start()
        self._began = monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended_at = monotonic()
        self._ended.set()
        self._sample()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        with self._sampling:
            self._latest.update(_waits())

    @property
    def elapsed_seconds(self) -> float:
        """Return the seconds of the block, or until now."""
        return (self._ended_at or monotonic()) - self._began

    @property
    def late_seconds(self) -> float:
        """Return how long all threads together waited for a CPU in the block, or until now."""
        if not self._ended_at:
            self._sample()
        with self._sampling:
            return sum(at - self._first.get(task, 0.0) for task, at in self._latest.items())

    @property
    def seconds(self) -> float:
        """Return the seconds without those for which this machine was late."""
        return self.elapsed_seconds - self.late_seconds


def comes_true(condition: Callable[[], object], seconds: float) -> bool:
    """Call `condition` repeatedly; return whether it has become true in time."""
    with Stopwatch() as watch:
        while not condition():
            if watch.seconds > seconds or watch.elapsed_seconds > MOST_TIMES * seconds:
                return False
            sleep(SAMPLE_SECONDS)
    return True


def repeated_when_late(test: Callable[P, None]) -> Callable[P, None]:
    """Repeat a test that fails while this machine is late; the last failure says that it was."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        for left in reversed(range(TRIES)):
            with Stopwatch() as watch:
                try:
                    return test(*args, **kwargs)
                except Exception as error:  # an assertion, or a wait without success
                    late = watch.late_seconds
                    if late < LATE_SECONDS or not left:
                        attempt = f"attempt {TRIES - left} of {TRIES}"
                        error.add_note(f"{attempt}: threads waited {late:.3f} s for a CPU")
                        raise
        return None

    return run


def _waits() -> Iterator[tuple[Path, float]]:
    """Yield the seconds that each thread of this process and its descendants has waited so far."""
    processes = [Path("/proc/self")]
    for process in processes:
        for task in _listed(process / "task"):
            try:
                waited = int((task / "schedstat").read_text().split()[1]) / 1e9
                children = (task / "children").read_text().split()
            except (OSError, IndexError):
                continue  # it has ended
            yield task, waited
            processes += [Path("/proc") / child for child in children]


def _listed(directory: Path) -> list[Path]:
    try:
        return [*directory.iterdir()]
    except OSError:
        return []
