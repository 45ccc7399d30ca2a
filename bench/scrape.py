"""CPU, memory and bytes of a scrape, beside prometheus_client with all lines written anew.

`make bench` runs it. All servers have three rounds between two scrapes, as with rounds every 5
seconds and a scrape every 15; then the live state makes a view. Each scrape is made in turn by the
library, of what is kept (`changed`), and once more without a round between them (`same`). Cycles
are looked for as seldom as in an agent.
"""

from __future__ import annotations

import gc
import statistics
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from random import Random
from time import process_time

from msgspec.structs import replace

from ldaphealth.agent.free_memory import collect_seldom
from ldaphealth.checks import OFF_WITHOUT_SETTINGS
from ldaphealth.live.live_state import LiveState, LiveView
from ldaphealth.model import AnyObservation, Finding, Verdict
from ldaphealth.prometheus import KeptExposition, exposition
from ldaphealth.prometheus.counters_families import COUNTERS
from ldaphealth.publishers.publication import Publication
from ldaphealth.web.compression import GZIP_FORMAT, LEVEL
from tests.sinks.healthy import HEALTH, NOW, TIMINGS, UNTIL, findings, healthy, observations

SIZES = (100, 1000)
IN_A_CLUSTER = 4
ROUNDS_BETWEEN = 3
ROUNDS_BEFORE = 200  # so that histograms have as many buckets as after a while
SCRAPES = {100: 15, 1000: 7}
FORMS = {"text": "", "OpenMetrics": "application/openmetrics-text; version=1.0.0"}
LEVELS = (1, 3, 6, 9)
EVERY_CHECK = frozenset({*TIMINGS, "session"})
CHECKS = {"every check": EVERY_CHECK, "checks by default": EVERY_CHECK - OFF_WITHOUT_SETTINGS}
OF_COUNTERS = {family.name for family in COUNTERS}
GROUPS: Mapping[str, Callable[[str], bool]] = {
    "times of operations (histograms)": lambda name: "_duration_seconds_" in name,
    "check `counters`": lambda name: name in OF_COUNTERS,
    "the rest of cn=Monitor": lambda name: name.startswith("ldaphealth_slapd_"),
    "replication": lambda name: "_replication_" in name or "_consumer_" in name,
    "verdict, checks, certificates": lambda _: True,
}


class Fleet:
    """Servers that are well and never twice the same: all times and numbers differ each round."""

    def __init__(self, servers: int, checks: frozenset[str]) -> None:
        self._random = Random(1)  # noqa: S311  not for cryptography
        self._checks = checks
        self.live_state = LiveState(clock=lambda: 0.0)
        self._rounds = 0
        self._clusters: dict[str, list[str]] = {}
        for number in range(servers):
            name = f"cluster{number // IN_A_CLUSTER}"
            self._clusters.setdefault(name, []).append(f"{name}/ldap{number % IN_A_CLUSTER}")
        for _ in range(ROUNDS_BEFORE):
            self._publish(self._times_only)

    def view_after_rounds(self) -> LiveView:
        """Return the view after some rounds of each server."""
        self.rounds()
        return self.live_state.view

    def rounds(self) -> None:
        """Have some rounds of each server."""
        for _ in range(ROUNDS_BETWEEN):
            self._publish(self._round)

    def _publish(self, seen: Callable[[str], Iterable[AnyObservation]]) -> None:
        self._rounds += 1
        for name, servers in self._clusters.items():
            self.live_state.publish(
                Publication(
                    cluster=name,
                    verdicts={server: self._verdict(server) for server in servers},
                    due=dict.fromkeys(servers, UNTIL),
                    changes=(),
                    seen=[each for server in servers for each in seen(server)],
                )
            )

    def _times_only(self, server: str) -> Iterable[AnyObservation]:
        return (each for each in self._round(server) if each.timings)

    def _round(self, server: str) -> Iterable[AnyObservation]:
        for each in observations(server, IN_A_CLUSTER):
            if each.check in self._checks:
                timings = {operation: self._seconds() for operation in each.timings}
                yield replace(each, timings=timings, facts=self._grown(each.check, each.facts))

    def _grown(self, check: str, facts: object) -> object:
        """Return facts with the numbers that slapd would show after so many rounds."""
        grown = {"monitor": "completed", "counters": "values"}.get(check)
        if grown is None:
            return facts
        more = self._rounds * 1000
        counts = {name: count + more for name, count in getattr(facts, grown).items()}
        return replace(facts, **{grown: counts})  # type: ignore[type-var]

    def _verdict(self, server: str) -> Verdict:
        found = [each for each in findings(server, IN_A_CLUSTER) if each.check in self._checks]
        lasted = 3600.0 + self._rounds * 5
        return replace(
            healthy(server), lasted_seconds=lasted, findings=tuple(map(self._measured, found))
        )

    def _measured(self, finding: Finding) -> Finding:
        moving = ("csn_gap_seconds", "silent_seconds")
        metrics = tuple(
            replace(each, value=self._random.uniform(0, 60)) if each.name in moving else each
            for each in finding.metrics
        )
        return replace(finding, metrics=metrics, summary=f"took {self._seconds()} s")

    def _seconds(self) -> float:
        return round(self._random.lognormvariate(-6.0, 0.7), 6)


def seconds_of(run: Callable[[], object]) -> float:
    began = process_time()
    run()
    return process_time() - began


def scrapes(fleet: Fleet, number: int, accept: str) -> tuple[bytes, list[tuple[float, ...]]]:
    """Return the last response, and of each scrape the seconds of each column of the table."""
    kept, body = KeptExposition(), b""
    rows: list[tuple[float, ...]] = []
    kept.exposition(fleet.view_after_rounds(), HEALTH, NOW, accept)  # the first writes all
    for _ in range(number):
        fleet.rounds()
        viewing = seconds_of(lambda: fleet.live_state.view)
        view = fleet.live_state.view
        library = partial(exposition, view, HEALTH, NOW, accept)
        again = partial(kept.exposition, view, HEALTH, NOW, accept)
        row = [viewing, seconds_of(library), seconds_of(again), seconds_of(again)]
        body, _ = again()
        rows.append((*row, seconds_of(partial(zlib.compress, body, LEVEL, GZIP_FORMAT))))
    return body, rows


def scrape_row(title: str, rows: Sequence[Sequence[float]]) -> str:
    medians = [statistics.median(each) * 1e3 for each in zip(*rows, strict=True)]
    ratio = statistics.median(changed / library for _, library, changed, _, _ in rows)
    view, library, changed, same, packed = (f"{each:8.1f} ms" for each in medians)
    return f"{title:44}{view}{library}{changed}{ratio:6.2f}{same}{packed}"


def memory_row(title: str, fleet: Fleet) -> str:
    """Return a line with the most memory of a scrape, and that which is kept until the next."""
    before, after = fleet.view_after_rounds(), fleet.view_after_rounds()
    gc.collect()
    tracemalloc.start()
    exposition(after, HEALTH, NOW)
    _, library = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tracemalloc.start()
    kept = KeptExposition()
    kept.exposition(before, HEALTH, NOW)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    kept.exposition(after, HEALTH, NOW)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    shown = [f"{each / 2**20:9.1f} MiB" for each in (library, most, left)]
    return f"{title:44}{''.join(shown)}"


def size_rows(body: bytes, servers: int) -> Iterator[str]:
    """Yield the series and the bytes of a server, by what they are of."""
    lines: dict[str, list[str]] = {title: [] for title in GROUPS}
    for line in body.decode().splitlines():
        name = line.partition("{")[0]
        if 'server="' in line:
            title = next(title for title, belongs in GROUPS.items() if belongs(name))
            lines[title].append(line)
    for title, found in lines.items():
        size = sum(len(line) + 1 for line in found)
        yield f"{title:44}{len(found) / servers:9.0f}{size / servers:9.0f} bytes"
    yield f"{'all':44}{body.count(b'server=') / servers:9.0f}{len(body) / servers:9.0f} bytes"


def level_row(body: bytes, level: int) -> str:
    runs = [seconds_of(partial(zlib.compress, body, level, GZIP_FORMAT)) for _ in range(5)]
    size = len(zlib.compress(body, level, GZIP_FORMAT))
    return f"{f'gzip -{level}':44}{statistics.median(runs) * 1e3:9.1f} ms{size / 2**20:9.2f} MiB"


def main() -> None:
    collect_seldom()
    of_scrapes, of_memory, of_sizes, of_levels = [], [], [], []
    for (what, checks), servers in product(CHECKS.items(), SIZES):
        fleet = Fleet(servers, checks)
        for form, accept in FORMS.items():
            body, rows = scrapes(fleet, SCRAPES[servers], accept)
            of_scrapes.append(scrape_row(f"{servers} servers, {what}, {form}", rows))
        title = f"{servers} servers, {what}: {len(body) / 2**20:.1f} MiB"
        of_memory.append(memory_row(title, fleet))
        if servers == max(SIZES):
            of_sizes += [f"one server, {what}", *size_rows(body, servers)]
            of_levels += [title, *(level_row(body, level) for level in LEVELS)]
    columns = f"{'view':>11}{'library':>11}{'changed':>11}{'':6}{'same':>11}{'gzip':>11}"
    print(f"{'CPU of a scrape':44}{columns}")
    print(*of_scrapes, "", sep="\n")
    print(f"{'memory of a scrape':44}{'library':>13}{'changed':>13}{'kept':>13}")
    print(*of_memory, "", sep="\n")
    print(f"{'size':44}{'series':>9}")
    print(*of_sizes, "", *of_levels, sep="\n")


if __name__ == "__main__":
    main()
