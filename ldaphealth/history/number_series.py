"""What a number of a server was in each period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.aggregate import Aggregate
from ldaphealth.history.kept_numbers import KeptNumber


class CountedPeriod(Protocol):
    """The numbers of a period."""

    @property
    def start_epoch(self) -> EpochSeconds:
        """Return when it begins."""

    @property
    def seconds(self) -> int:
        """Return how long it is."""

    @property
    def numbers(self) -> Aggregate:
        """Return what was counted in it."""


class NumberSeries(Struct, frozen=True):
    """The periods of a number, oldest first. `label` is such as a server ID, or ""."""

    number: KeptNumber
    label: str
    periods: Sequence[CountedPeriod]
