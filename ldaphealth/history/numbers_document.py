"""What a number of servers was, by server, label and period, for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import NumbersRequest
from ldaphealth.history.aggregate import Aggregate, combined
from ldaphealth.history.kept_numbers import KeptNumber
from ldaphealth.text.moment import moment


class ObservedPeriod(Protocol):
    """What a number was in a period."""

    @property
    def start_epoch(self) -> EpochSeconds:
        """Return when it begins."""

    @property
    def seconds(self) -> int:
        """Return how long it is."""

    @property
    def numbers(self) -> Aggregate:
        """Return what was observed in it."""


def numbers_document(
    request: NumbersRequest,
    kept: KeptNumber,
    periods: Mapping[str, Mapping[str, Iterable[ObservedPeriod]]],
) -> dict[str, Any]:
    """Return the periods of each server and label, oldest first, and all of them together."""
    servers = {
        server: {label: [*of] for label, of in sorted(labels.items())}
        for server, labels in sorted(periods.items())
    }
    return {
        "number": kept.key,
        "unit": kept.unit,
        "means": kept.means,
        "shows": kept.shows,
        "by_seconds": request.by_seconds,
        "since": moment(request.since_epoch),
        "until": moment(request.until_epoch),
        "servers": [
            {
                "server": server,
                "numbers": [
                    {
                        "label": label,
                        **_numbers(combined(each.numbers for each in of)),
                        "periods": [
                            {"start": moment(each.start_epoch), "seconds": each.seconds}
                            | _numbers(each.numbers)
                            for each in of
                        ],
                    }
                    for label, of in labels.items()
                ],
            }
            for server, labels in servers.items()
        ],
    }


def _numbers(found: Aggregate) -> dict[str, Any]:
    return {
        "count": found.count,
        "mean": found.mean,
        "least": found.least,
        "most": found.most,
        "last": found.last,
    }
