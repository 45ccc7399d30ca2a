"""How far the clock of a server is ahead of that of this host, as an interval. Pure.

A change has the time of the server in its entryCSN, to the microsecond: it was made between the
start and the end of the write. cn=Monitor shows whole seconds (slapd-monitor(5)). So each reading
is an interval in which the difference is for certain, if no clock was set meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.csn import CSNError, parse
from ldaphealth.model import AnyObservation

BY_MONITOR = "cn=Time,cn=Monitor, in whole seconds"
BY_WRITES = "the entryCSN of its own writes"
GENERALIZED_TIME = "%Y%m%d%H%M%SZ"  # RFC 4517 3.3.13, as slapd writes it
SHOWN_SECONDS = 1.0


class ClockReading(Struct, frozen=True):
    """A clock is ahead of that of this host by `least_seconds` to `most_seconds`.

    Negative: behind. `basis` is what shows it.
    """

    least_seconds: float
    most_seconds: float
    basis: str

    @property
    def middle_seconds(self) -> float:
        """Return the most likely difference."""
        return (self.least_seconds + self.most_seconds) / 2

    @property
    def uncertainty_seconds(self) -> float:
        """Return by how much the difference may be another."""
        return (self.most_seconds - self.least_seconds) / 2

    def apart_seconds(self, other: ClockReading | None = None) -> float:
        """Return the seconds by which it is apart for certain from another clock or this host's."""
        least, most = (other.least_seconds, other.most_seconds) if other else (0.0, 0.0)
        return max(0.0, self.least_seconds - most, least - self.most_seconds)


def of_monitor(shown: str, began: EpochSeconds, ended: EpochSeconds) -> ClockReading | None:
    """Return the reading of a monitorTimestamp that was read between two times of this host.

    None: it is no time.
    """
    try:
        clock = datetime.strptime(shown, GENERALIZED_TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return ClockReading(clock - ended, clock + SHOWN_SECONDS - began, BY_MONITOR)


def of_writes(
    observations: Iterable[AnyObservation], epoch_minus_monotonic: float
) -> ClockReading | None:
    """Return the narrowest reading of the writes of one check `write` to one server.

    Each write finds the token and the entryCSN of the one before. None: there are no two in a row,
    or another server made the writes.
    """
    readings = [
        reading
        for earlier, later in pairwise(observations)
        if (reading := _of_write(earlier, later, epoch_minus_monotonic)) is not None
    ]
    return min(readings, key=lambda each: each.uncertainty_seconds, default=None)


def _of_write(
    earlier: AnyObservation, later: AnyObservation, epoch_minus_monotonic: float
) -> ClockReading | None:
    wrote, found = earlier.facts, later.facts
    if wrote is None or found is None or wrote.forwarded or not wrote.token:
        return None
    if found.found_token != wrote.token:
        return None
    try:
        clock = parse(found.found_csn).time.timestamp()
    except CSNError:
        return None
    began = earlier.started_at + epoch_minus_monotonic
    ended = earlier.ended_at + epoch_minus_monotonic
    return ClockReading(clock - ended, clock - began, BY_WRITES)
