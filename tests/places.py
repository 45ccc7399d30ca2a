"""Where the code under test runs: in the thread of the test, or as a call of an event loop.

A test that takes `place` runs in both; sessions and rounds must be the same there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

from msgspec import Struct

from ldaphealth.event_loop import EventLoop
from ldaphealth.workers import Workers

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE_SECONDS = 60.0


class Place(Struct, frozen=True):
    """`beside` runs what the code under test begins beside itself."""

    beside: Executor
    is_loop: bool

    def call(self, run: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns there."""
        if not self.is_loop:
            return run(*args, **kwargs)
        return self.beside.submit(run, *args, **kwargs).result(PATIENCE_SECONDS)


THREAD = Place(Workers("beside", 2), is_loop=False)
LOOP = Place(EventLoop("test"), is_loop=True)
