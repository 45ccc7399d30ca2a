"""The time of day, as a fact beside what was seen.

`observe` of the checks replication and certificate asks for it. No decision may:
tests/test_architecture.py holds who imports this and where it is called.
"""

from __future__ import annotations

from time import time


def epoch_seconds() -> float:
    """Return the seconds since the epoch by this machine's clock; it may step."""
    return time()
