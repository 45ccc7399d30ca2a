"""What a number of a server was in each period."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ldaphealth.history.kept_numbers import KeptNumber
from ldaphealth.history.numbers_document import ObservedPeriod


class NumberSeries(Struct, frozen=True):
    """The periods of a number, oldest first. `label` is such as a server ID, or ""."""

    number: KeptNumber
    label: str
    periods: Sequence[ObservedPeriod]
