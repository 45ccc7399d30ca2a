"""Returns memory that the allocator holds free to the system, so that the agent does not grow.

Observations live for an hour, answers to HTTP for a moment. What lies between them in the heaps of
the threads becomes free in fragments, which glibc keeps; malloc_trim(3) returns their whole pages.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from ldaphealth.clocks import BootSeconds

EVERY_SECONDS = 60.0


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
    function = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if function is None:
        return lambda: None
    function.argtypes, function.restype = (ctypes.c_size_t,), ctypes.c_int
    return lambda: function(0)
