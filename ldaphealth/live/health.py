"""The health of the agent itself, in numbers, for its status, its metrics and its page.

agent/status.py returns it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds

LATE_SECONDS = 10.0  # the main loop runs every second or two; a slow disk may delay it


class AgentHealth(Struct, frozen=True, kw_only=True):
    """The numbers of the agent. Counts begin at its start."""

    version: str
    shard: int = 1  # of `shards`, which divide the clusters
    shards: int = 1
    up_seconds: float
    servers: int
    rounds: int
    overruns: int  # rounds that were skipped because the one before had not ended
    deadline_misses: int  # rounds in which a server had not answered by the deadline
    in_flight: int  # rounds in progress or waiting to begin
    waiting: int  # rounds that are due and have not begun; if it stays above 0, add CPU or a shard
    publish_errors: int
    history_errors: int
    history_lost: int  # changes of verdicts that were not written to disk
    history_lost_points: int  # minutes of one operation, likewise
    history_cuts: Mapping[str, int]  # by level: how often its oldest points made room for others
    history_oldest_age_seconds: Mapping[str, float]  # by level, and of the oldest change
    late: int  # times that the agent did not run when it should have
    late_seconds: float  # in which it did not; the deadlines of rounds moved meanwhile
    loop_age_seconds: float  # since the last tick while rounds went on; if long, the agent hangs
    reload_failure: str = ""  # a sentence on the last reload; "" after one that succeeded
    journal_errors: int = 0  # writes of the journal that failed
    journal_lost: int = 0  # rounds, decisions and the like that are not in it
    journal_from_epoch_seconds: EpochSeconds = 0.0  # its oldest part; 0: there is none
    config_read_epoch_seconds: EpochSeconds = 0.0  # when the configuration in use was read
