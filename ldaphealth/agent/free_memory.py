"""How the agent frees memory: one arena, free pages go back, and cycles are looked for seldom.

Some objects live for an hour, others for the moment of an answer. What lay between becomes free in
fragments, which glibc keeps, apart for each of the threads' arenas (malloc(3)). The interpreter's
lock lets one thread at a time allocate, so more arenas than one would save no waiting.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

from ldaphealth.clocks import BootSeconds

EVERY_SECONDS = 60.0
M_ARENA_MAX = -8  # malloc.h
# Objects that are allocated more than freed until young ones are searched for cycles; then how many
# such searches until a search of older ones, and how many of these until all are searched.
COLLECT_AFTER = (10_000, 50, 100)


def use_one_arena() -> None:
    """Have all threads that start from now on share one arena (mallopt(3)); only with glibc."""
    function = _of_glibc("mallopt", ctypes.c_int, ctypes.c_int)
    if function is not None:
        function(M_ARENA_MAX, 1)


def collect_seldom() -> None:
    """Have Python's collector search seldom, and never what exists now.

    A search of all objects stops every thread, for 0.2 s with a thousand servers. By default it
    comes every few seconds as observations are kept, and finds next to nothing.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class FreeMemory:
    """Calls `trim` once in `EVERY_SECONDS`. Only one thread may use it."""

    def __init__(self, now: BootSeconds, trim: Callable[[], object] | None = None) -> None:
        """`trim` is malloc_trim(3) of glibc by default, and nothing with other C libraries."""
        self._trim = trim or _malloc_trim()
        self._next_at = BootSeconds(now + EVERY_SECONDS)

    def return_if_due(self, now: BootSeconds) -> None:
        """Return free memory to the system, if the last time was `EVERY_SECONDS` ago."""
        if now >= self._next_at:
            self._next_at = BootSeconds(now + EVERY_SECONDS)
            self._trim()


def _malloc_trim() -> Callable[[], object]:
    """Return the function. It runs without the interpreter's lock, as all of `ctypes.CDLL`."""
    function = _of_glibc("malloc_trim", ctypes.c_size_t)
    return (lambda: None) if function is None else (lambda: function(0))


def _of_glibc(name: str, *arguments: type) -> Callable[..., int] | None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function.argtypes, function.restype = arguments, ctypes.c_int
    return function
