"""The metrics of the check `counters`, made from its table of what cn=Monitor shows.

table.py has them among those of a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ldaphealth.checks.counters import MEASURES, Facts, Measure, ShownDatabase
from ldaphealth.prometheus.family import SERVER, Family, MetricType, Series
from ldaphealth.prometheus.parts import ScrapedServer, facts
from ldaphealth.prometheus.readings import by_database, by_label, info

PREFIX = "ldaphealth_slapd_"
of_facts = partial(facts, "counters")


def _family(measure: Measure) -> Family[ScrapedServer]:
    def numbers(facts: Facts) -> Sequence[tuple[str, int]]:
        return [
            (label, facts.values[entry])
            for label, entry in measure.entries.items()
            if entry in facts.values
        ]

    return Family(
        name=f"{PREFIX}{measure.name}",
        kind=MetricType(measure.kind),
        help=measure.help,
        part=of_facts(numbers),
        read=by_label if measure.label else _unlabelled,
        labels=(*SERVER, measure.label) if measure.label else SERVER,
    )


def _unlabelled(values: Iterable[tuple[str, float]]) -> Iterator[Series]:
    for _, value in values:
        yield (), float(value)


def _overlays(databases: Iterable[ShownDatabase]) -> Iterator[Series]:
    for each in databases:
        for overlay in dict.fromkeys(each.overlays):
            yield (each.name, overlay), 1.0


COUNTERS: tuple[Family[ScrapedServer], ...] = (
    *map(_family, MEASURES),
    Family(
        name=f"{PREFIX}info",
        kind=MetricType.INFO,
        help="The version of slapd; always 1.",
        part=of_facts(lambda facts: facts.version or None),
        read=info,
        labels=(*SERVER, "version"),
    ),
    Family(
        name=f"{PREFIX}start_timestamp_seconds",
        kind=MetricType.GAUGE,
        help="When slapd started, by the clock of the server.",
        part=of_facts(lambda facts: facts.started_epoch_seconds),
        labels=SERVER,
    ),
    Family(
        name=f"{PREFIX}clock_ahead_seconds",
        kind=MetricType.GAUGE,
        help="How far the clock of the server is ahead of that of the agent's host, in whole "
        "seconds.",
        part=of_facts(lambda facts: facts.clock_ahead_seconds),
        labels=SERVER,
    ),
    Family(
        name=f"{PREFIX}database_read_only",
        kind=MetricType.GAUGE,
        help="1 if slapd shows the database as read-only (`olcReadOnly` when it started).",
        part=of_facts(lambda facts: facts.databases),
        read=by_database(lambda each: each.is_read_only),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name=f"{PREFIX}database_is_copy",
        kind=MetricType.GAUGE,
        help="1 if the database receives its entries from others (`olcSyncrepl`).",
        part=of_facts(lambda facts: facts.databases),
        read=by_database(lambda each: each.is_copy),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name=f"{PREFIX}database_overlay",
        kind=MetricType.GAUGE,
        help="1 for each overlay of the database.",
        part=of_facts(lambda facts: facts.databases),
        read=_overlays,
        labels=(*SERVER, "suffix", "overlay"),
    ),
)
