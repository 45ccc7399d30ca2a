"""CPU and bytes that the history costs with a hundred servers, and its size by level.

`make bench` runs it. Publications of a simulated day go through the queue and the thread of the
agent. To compare with another checkout, run it there too, in turn.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from ldaphealth.checks import certificate, monitor, resources
from ldaphealth.model import AnyObservation, Finding, Metric, Observation, State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import HistorySettings
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.levels import DAY, HOUR, LEVELS, MINUTE, bounds_of
from ldaphealth.store.point_tables import KINDS, PointTables
from tests.store.simulated_site import OPERATIONS, ROUNDS, SERVER_IDS, START, Site

SERVERS = 100
MINUTES = 130  # two hours end in them
DAYS = 33  # a row of days ends in them
ROUND_SECONDS = 60 / ROUNDS
# Of checks whose numbers are read from what they observe; those of replication are metrics.
FACTS = {
    "monitor": monitor.Facts(completed={"search": 1000}, in_flight={"search": 1}),
    "certificate": certificate.Facts("verified", (), START + 9e6, float(START)),
    "replication": certificate.Facts("none"),  # any facts will do
}


class Clock:
    """The time of day and the time since the boot, which the benchmark sets."""

    now = float(START)

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def main() -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "history.sqlite3"
        history = HistoryDatabase(
            path, bounds_of(HistorySettings()), clock=clock, running=clock, write_seconds=0.01
        )
        found = publications()
        before, cpu = written_bytes(), time.process_time()
        for publication in found * MINUTES:
            history.publish(publication)
            clock.now += ROUND_SECONDS / SERVERS
            while len(history._waiting) > SERVERS:  # noqa: SLF001
                time.sleep(0.001)
        history.close(60.0)
        cpu, written = time.process_time() - cpu, written_bytes() - before
    rounds = MINUTES * ROUNDS * SERVERS
    print(f"{SERVERS} servers, {sum(map(len, OPERATIONS.values()))} operations each")
    print(f"CPU of the history per round    {cpu / rounds * 1e6:8.1f} us")
    print(f"bytes written per minute        {written / MINUTES / 1024:8.1f} KiB")
    for kind in KINDS:
        print(f"bytes in {kind.packed}")
        for name, size in level_bytes(kind).items():
            print(f"a server and day by the {name:7} {size / 1024:8.2f} KiB")


def publications() -> list[Publication]:
    """Return the rounds of all servers in a minute."""
    random = Random(1)  # noqa: S311  not for a secret
    return [
        Publication(
            cluster="main",
            verdicts={name: _verdict(name, random)},
            due={},
            changes=(),
            seen=[*_seen(name, random)],
        )
        for _ in range(ROUNDS)
        for name in (f"main/ldap{number}.example.com" for number in range(SERVERS))
    ]


def _verdict(server: str, random: Random) -> Verdict:
    """Return a verdict with numbers of replication for four server IDs."""
    metrics = tuple(
        Metric("behind_seconds", max(0.0, random.gauss(-2, 1)), label=label) for label in SERVER_IDS
    )
    findings = [
        Finding(
            server=server,
            check=check,
            state=State.OK,
            code="ok",
            summary="",
            metrics=metrics if check == "replication" else (),
        )
        for check in OPERATIONS
    ]
    return Verdict(
        server=server, state=State.OK, in_service=True, weight=100, findings=tuple(findings)
    )


def _seen(server: str, random: Random) -> Iterator[AnyObservation]:
    for check, operations in OPERATIONS.items():
        yield Observation(
            server=server,
            check=check,
            started_at=0.0,
            duration_seconds=0.001,
            facts=FACTS.get(check),
            timings={each: 0.001 * random.lognormvariate(0.0, 0.4) for each in operations},
        )
    yield Observation(
        server=server,
        check="resources",
        started_at=0.0,
        duration_seconds=0.001,
        facts=resources.Facts(
            pending_operations=0,
            databases=(resources.Database("dc=example,dc=com", 0.5, 0.1, 32_768, 65_536),),
            connections=resources.Connections(random.randrange(200, 300), 1024),
        ),
    )


def written_bytes() -> int:
    """Return the bytes that this process has written (proc(5), /proc/PID/io, wchar)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def level_bytes(kind: PointTables[Any]) -> dict[str, float]:
    """Return how many bytes of points of a kind one server has for each day, by level."""
    servers = 3
    with tempfile.TemporaryDirectory() as directory:
        site = Site(Path(directory) / "history.sqlite3", bounds_of(HistorySettings()), servers)
        site.hours_pass((DAYS - 1) * 24)
        site.minutes_pass(24 * 60)
        sizes = [*_packed_bytes(site.file, kind)]
        site.file.close()
    return {level.name: size / servers for level, size in zip(LEVELS, sizes, strict=True)}


def _packed_bytes(file: HistoryFile, kind: PointTables[Any]) -> Iterator[float]:
    connection = file.connection()
    for level in (MINUTE, HOUR, DAY):
        size, rows = connection.execute(
            f"SELECT sum(length(points)), count(DISTINCT epoch) FROM {kind.packed} "  # noqa: S608
            "WHERE step_seconds = ?",
            (level.step_seconds,),
        ).fetchone()
        yield size / rows / level.row_seconds * DAY.step_seconds


if __name__ == "__main__":
    main()
