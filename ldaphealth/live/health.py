"""What the agent itself does and suffers from, in numbers; for its status, its metrics, its page.

agent/status.py makes it; metrics, status and page show it.
"""

from __future__ import annotations

from msgspec import Struct

LATE_SECONDS = 10.0  # the loop comes round every second or two; a slow disk may hold it up


class AgentHealth(Struct, frozen=True, kw_only=True):
    """The agent in numbers; counts are since it began."""

    version: str
    up_seconds: float
    servers: int
    rounds: int
    overruns: int  # rounds that were left out because the one before had not ended
    deadline_misses: int  # rounds in which a server had not answered by the deadline
    in_flight: int
    threads: int  # looks that can run side by side
    busy: int  # of the threads, now
    waiting: int  # looks that are due and wait for a thread: more threads would help
    publish_errors: int
    history_errors: int
    history_lost: int  # changes of verdict that never reached the disk
    loop_age_seconds: float  # since its loop came round last; more than a second or two: it hangs
