"""The numbers of servers that the history keeps: one table. Pure.

They are read from what was observed of a server, and from the findings on it. A number that stands
several times, such as for each server ID, has a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from msgspec import Struct

from ldaphealth.checks import bind, certificate, entry_count, monitor, resources
from ldaphealth.clocks import DAY_SECONDS, EpochSeconds
from ldaphealth.model import AnyObservation, Finding
from ldaphealth.text.suggestion import suggestion

MOST_LABELS = 64  # of one number: a server sends them

Labelled = Iterable[tuple[str, float]]  # a number by its label, or ""
# Gets the facts of a check, and the findings of the check that were made of them.
Reading = Callable[[Any, Sequence[Finding]], Labelled]


class KeptNumber(Struct, frozen=True, kw_only=True):
    """A number of a check. `shows`: which of the numbers of a period matters to people.

    `digits` are the decimals that are kept: more would be noise, and take bytes.
    """

    check: str
    name: str
    unit: str
    means: str
    read: Reading
    shows: Literal["most", "least"] = "most"
    digits: int = 0

    @property
    def key(self) -> str:
        """Return `check.name`, by which commands know it."""
        return f"{self.check}.{self.name}"


def single_number(value: float | None) -> Labelled:
    """Return the one number without a label; nothing for None."""
    return () if value is None else (("", float(value)),)


def of_facts(read: Callable[[Any], float | None]) -> Reading:
    """Return a reading of one number of the facts."""
    return lambda facts, _: single_number(read(facts))


def of_metric(name: str) -> Reading:
    """Return a reading of a metric of the findings, by its label."""

    def read(_: object, findings: Sequence[Finding]) -> Iterator[tuple[str, float]]:
        for finding in findings:
            for metric in finding.metrics:
                if metric.name == name:
                    yield metric.label, float(metric.value)

    return read


def of_databases(read: Callable[[resources.Database], float]) -> Reading:
    """Return a reading of one number of each database whose size is known."""

    def labelled(facts: resources.Facts, _: object) -> Iterator[tuple[str, float]]:
        for each in facts.databases:
            if each.pages_max:
                yield each.name, float(read(each))

    return labelled


def of_connections(read: Callable[[resources.Connections], int]) -> Reading:
    """Return a reading of one number of the connections, if it is known."""
    return of_facts(lambda facts: facts.connections and read(facts.connections))


def days_left(expires: EpochSeconds | None, observed: EpochSeconds | None) -> float | None:
    """Return the days from one moment to another; None if one is not known."""
    return None if expires is None or observed is None else (expires - observed) / DAY_SECONDS


def certificate_days(facts: certificate.Facts) -> float | None:
    """Return the days until the certificate of the server expires."""
    return days_left(facts.expires_epoch_seconds, facts.observed_epoch_seconds)


def client_certificate_days(facts: certificate.Facts) -> float | None:
    """Return the days until the certificate of the client expires."""
    return days_left(facts.client_expires_epoch_seconds, facts.observed_epoch_seconds)


def password_days(facts: bind.Facts) -> float | None:
    """Return the days until the password of the account expires."""
    return days_left(facts.expires_epoch_seconds, facts.observed_epoch_seconds)


def in_flight(facts: monitor.Facts) -> float | None:
    """Return the requests in flight of all kinds."""
    return sum(facts.in_flight.values()) if facts.completed else None


def database_entries(facts: entry_count.Facts, _: object) -> Labelled:
    """Return the number of entries of each database."""
    return [(suffix, float(count)) for suffix, count in facts.entries.items()]


KEPT_NUMBERS = (
    KeptNumber(
        check="replication",
        name="behind_seconds",
        unit="seconds",
        means="for how long the server has lacked changes that most others had, by server ID",
        read=of_metric("behind_seconds"),
        digits=2,
    ),
    KeptNumber(
        check="resources",
        name="database_pages",
        unit="pages",
        means="the pages of the MDB database in use (`olmMDBPagesUsed` without `olmMDBPagesFree`)",
        read=of_databases(lambda database: database.pages),
    ),
    KeptNumber(
        check="resources",
        name="database_pages_max",
        unit="pages",
        means="the pages that the MDB database can have (`olmMDBPagesMax`)",
        read=of_databases(lambda database: database.pages_max),
    ),
    KeptNumber(
        check="resources",
        name="connections",
        unit="connections",
        means="the open connections of slapd",
        read=of_connections(lambda found: found.open),
    ),
    KeptNumber(
        check="resources",
        name="connections_max",
        unit="connections",
        means="the file descriptors of slapd, of which each connection needs one",
        read=of_connections(lambda found: found.descriptors),
    ),
    KeptNumber(
        check="resources",
        name="pending_operations",
        unit="operations",
        means="the operations that wait for a thread of slapd",
        read=of_facts(lambda facts: facts.pending_operations),
    ),
    KeptNumber(
        check="monitor",
        name="requests_in_flight",
        unit="operations",
        means="the operations that slapd has begun and not completed",
        read=of_facts(in_flight),
    ),
    KeptNumber(
        check="entry_count",
        name="entries",
        unit="entries",
        means="the entries of the database, by its suffix",
        read=database_entries,
    ),
    KeptNumber(
        check="certificate",
        name="days_left",
        unit="days",
        means="the days until the certificate of the server expires",
        read=of_facts(certificate_days),
        shows="least",
        digits=2,
    ),
    KeptNumber(
        check="certificate",
        name="client_days_left",
        unit="days",
        means="the days until the certificate in `certificate_file` expires",
        read=of_facts(client_certificate_days),
        shows="least",
        digits=2,
    ),
    KeptNumber(
        check="bind",
        name="password_days_left",
        unit="days",
        means="the days until the password of the account that checks use expires",
        read=of_facts(password_days),
        shows="least",
        digits=2,
    ),
)
BY_KEY: Mapping[str, KeptNumber] = {each.key: each for each in KEPT_NUMBERS}
_BY_CHECK: Mapping[str, Sequence[KeptNumber]] = {
    check: [each for each in KEPT_NUMBERS if each.check == check]
    for check in dict.fromkeys(each.check for each in KEPT_NUMBERS)
}


def observed_numbers(
    observation: AnyObservation, findings: Iterable[Finding]
) -> Mapping[str, float]:
    """Return the numbers of an observation by name and label; none if it failed.

    `findings` are all those on the server that were made of it.
    """
    kept = _BY_CHECK.get(observation.check)
    if kept is None or observation.facts is None:
        return {}
    of_check = [each for each in findings if each.check == observation.check]
    return {
        series(each.name, label): round(value, each.digits)
        for each in kept
        for label, value in islice(each.read(observation.facts, of_check), MOST_LABELS)
    }


def unknown_number(key: str) -> str:
    """Return what is wrong with the name of a number that is not kept."""
    return f"the history has no number {key!r}{suggestion(key, BY_KEY)}"


def series(name: str, label: str) -> str:
    """Return the name under which the numbers of one label are kept."""
    return f"{name} {label}".rstrip()


def labels_of(name: str, all_series: Iterable[str]) -> Mapping[str, str]:
    """Return of what is kept all that is of one number: its label by the name that it has there."""
    return {
        each: label
        for each in all_series
        for found, _, label in (each.partition(" "),)
        if found == name
    }
