"""What a minute of one server consists of before it is written: durations, and other numbers."""

from __future__ import annotations

from collections.abc import Iterable

from ldaphealth.histogram import histogram_of
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.history.kept_numbers import observed_numbers
from ldaphealth.model import AnyObservation, Finding
from ldaphealth.store.number_rows import Numbers
from ldaphealth.store.point_rows import Times


class Minute:
    """One minute of a server: what is observed is added, oldest first."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[float]] = {}  # by check and operation
        self._numbers: dict[tuple[str, str], list[float]] = {}  # by check and name

    def __len__(self) -> int:
        return len(self._times) + len(self._numbers)

    def add(self, observation: AnyObservation, findings: Iterable[Finding]) -> None:
        """Add an observation, with the findings on its server."""
        check = observation.check
        for operation, seconds in observation.timings.items():
            self._times.setdefault((check, operation), []).append(seconds)
        for name, number in observed_numbers(observation, findings).items():
            self._numbers.setdefault((check, name), []).append(number)

    def times(self) -> Times:
        """Return the durations by check and operation."""
        times: Times = {}
        for (check, operation), seconds in self._times.items():
            times.setdefault(check, {})[operation] = histogram_of(seconds)
        return times

    def numbers(self) -> Numbers:
        """Return the numbers by check and name."""
        numbers: Numbers = {}
        for (check, name), values in self._numbers.items():
            numbers.setdefault(check, {})[name] = aggregate_of(values)
        return numbers
