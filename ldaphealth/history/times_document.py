"""How long the operations of a check took, by server and period, for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import TimesRequest
from ldaphealth.histogram import Histogram, merged
from ldaphealth.text.moment import moment


class MeasuredPeriod(Protocol):
    """The durations of a period."""

    @property
    def start_epoch(self) -> EpochSeconds:
        """Return when it begins."""

    @property
    def seconds(self) -> int:
        """Return how long it is."""

    @property
    def durations(self) -> Histogram:
        """Return what was measured in it."""


class OperationTimes(Struct, frozen=True):
    """The durations of one operation of a check on a server, by period, oldest first."""

    check: str
    operation: str
    periods: Sequence[MeasuredPeriod]

    @property
    def name(self) -> str:
        """Return such as `write.modify`, as commands and requests name it."""
        return f"{self.check}.{self.operation}"


def times_document(
    request: TimesRequest, periods: Mapping[str, Iterable[MeasuredPeriod]]
) -> dict[str, Any]:
    """Return the periods of each server that have durations, oldest first, and their sum."""
    servers = {server: [*of] for server, of in sorted(periods.items())}
    return {
        "check": request.check,
        "operation": request.operation,
        "quantile": request.quantile,
        "by_seconds": request.by_seconds,
        "since": moment(request.since_epoch),
        "until": moment(request.until_epoch),
        "servers": [
            {
                "server": server,
                **_durations(merged(each.durations for each in of), request.quantile),
                "periods": [
                    {"start": moment(each.start_epoch), "seconds": each.seconds}
                    | _durations(each.durations, request.quantile)
                    for each in of
                ],
            }
            for server, of in servers.items()
            if of
        ],
    }


def _durations(found: Histogram, quantile: float) -> dict[str, Any]:
    return {
        "count": found.count,
        "mean_seconds": found.sum / found.count if found.count else None,
        "least_seconds": found.least if found.count else None,
        "most_seconds": found.most if found.count else None,
        "quantile_seconds": found.quantile(quantile) if found.count else None,
    }
