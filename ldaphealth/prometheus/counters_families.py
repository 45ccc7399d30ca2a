"""The metrics of the check `counters`, made from its table of what cn=Monitor shows.

table.py has them among those of a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ldaphealth.checks.counters import MEASURES, Facts, Measure, ShownDatabase
from ldaphealth.live.live_server import LiveServer
from ldaphealth.prometheus.family import SERVER, Family, MetricType, Series
from ldaphealth.prometheus.readings import facts_of

PREFIX = "ldaphealth_slapd_"


def _facts(known: LiveServer) -> Facts:
    found: Facts | None = facts_of(known, "counters")
    return found or Facts()


def _family(measure: Measure) -> Family[LiveServer]:
    def read(known: LiveServer) -> Iterator[Series]:
        values = _facts(known).values
        for label, entry in measure.entries.items():
            if entry in values:
                yield ((label,) if measure.label else ()), float(values[entry])

    return Family(
        name=f"{PREFIX}{measure.name}",
        kind=MetricType(measure.kind),
        help=measure.help,
        read=read,
        labels=(*SERVER, measure.label) if measure.label else SERVER,
    )


def _version(known: LiveServer) -> Iterator[Series]:
    if version := _facts(known).version:
        yield (version,), 1.0


def _started(known: LiveServer) -> Iterator[Series]:
    if (started := _facts(known).started_epoch_seconds) is not None:
        yield (), started


def _clock(known: LiveServer) -> Iterator[Series]:
    if (ahead := _facts(known).clock_ahead_seconds) is not None:
        yield (), ahead


def _read_only(known: LiveServer) -> Iterator[Series]:
    for each in _facts(known).databases:
        yield (each.name,), float(each.is_read_only)


def _copies(known: LiveServer) -> Iterator[Series]:
    for each in _facts(known).databases:
        yield (each.name,), float(each.is_copy)


def _overlays(known: LiveServer) -> Iterator[Series]:
    def of_database(each: ShownDatabase) -> Iterable[Series]:
        return (((each.name, overlay), 1.0) for overlay in dict.fromkeys(each.overlays))

    for each in _facts(known).databases:
        yield from of_database(each)


COUNTERS: tuple[Family[LiveServer], ...] = (
    *map(_family, MEASURES),
    Family(
        name=f"{PREFIX}info",
        kind=MetricType.INFO,
        help="The version of slapd; always 1.",
        read=_version,
        labels=(*SERVER, "version"),
    ),
    Family(
        name=f"{PREFIX}start_timestamp_seconds",
        kind=MetricType.GAUGE,
        help="When slapd started, by the clock of the server.",
        read=_started,
        labels=SERVER,
    ),
    Family(
        name=f"{PREFIX}clock_ahead_seconds",
        kind=MetricType.GAUGE,
        help="How far the clock of the server is ahead of that of the agent's host, in whole "
        "seconds.",
        read=_clock,
        labels=SERVER,
    ),
    Family(
        name=f"{PREFIX}database_read_only",
        kind=MetricType.GAUGE,
        help="1 if slapd shows the database as read-only (`olcReadOnly` when it started).",
        read=_read_only,
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name=f"{PREFIX}database_is_copy",
        kind=MetricType.GAUGE,
        help="1 if the database receives its entries from others (`olcSyncrepl`).",
        read=_copies,
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name=f"{PREFIX}database_overlay",
        kind=MetricType.GAUGE,
        help="1 for each overlay of the database.",
        read=_overlays,
        labels=(*SERVER, "suffix", "overlay"),
    ),
)
