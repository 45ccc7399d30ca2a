"""The periods that the pages of the history show, and the moments between which one is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.moment import moment

HOUR, DAY = 3600, 86_400


class ViewPeriod(Struct, frozen=True):
    """A length, and that of the parts of its plots, in seconds."""

    name: str
    seconds: int
    by_seconds: int


VIEW_PERIODS: Mapping[str, ViewPeriod] = {
    each.name: each
    for each in (
        ViewPeriod("hour", HOUR, 60),
        ViewPeriod("day", DAY, 600),
        ViewPeriod("week", 7 * DAY, HOUR),
        ViewPeriod("month", 30 * DAY, 6 * HOUR),
        ViewPeriod("year", 365 * DAY, DAY),
    )
}
USUAL_PERIOD = "day"


class PastView(Struct, frozen=True):
    """A period that ends at `until`, or `now` if that is None."""

    period: ViewPeriod
    now: EpochSeconds
    until: EpochSeconds | None = None

    @property
    def end(self) -> EpochSeconds:
        """Return its end."""
        return self.now if self.until is None else min(self.until, self.now)

    @property
    def begin(self) -> EpochSeconds:
        """Return its beginning."""
        return self.end - self.period.seconds

    @property
    def query(self) -> str:
        """Return the query of a link to the same period of another page."""
        return _query(self.period.name, self.until)

    def of_length(self, name: str) -> str:
        """Return the query of a link to another length with the same end."""
        return _query(name, self.until)

    @property
    def earlier(self) -> str:
        """Return the query of a link to the period before."""
        return _query(self.period.name, self.begin)

    @property
    def later(self) -> str:
        """Return the query of a link to the next period; empty for the newest."""
        if self.until is None or self.until >= self.now:
            return ""
        end = self.end + self.period.seconds
        return _query(self.period.name, end if self.now - end > self.period.by_seconds else None)


def _query(name: str, until: EpochSeconds | None) -> str:
    end = {} if until is None else {"until": moment(until)}
    return f"?{urlencode({'period': name, **end}, safe=':')}"
