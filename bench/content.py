"""Memory and time of comparing 200,000 entries on four servers, and whether the rate is kept.

`make bench-content` runs it (two minutes); it is not part of `make bench`.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import psutil

from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CHECK_DN, PEOPLE, ROOT_DN, SUFFIX

ENTRIES = 200_000
LOST = 2_000  # on one of the servers
RUNS = ((5_000, "csn"), (1_000_000, "csn"), (1_000_000, "values"))  # entries per second, what
ON_ONE_RUN = 20_000  # so that slapadd ends within the time limit of a tool


def main() -> None:
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), float(sys.argv[2]), with_values=sys.argv[3] == "values")
        return
    with Cluster(4, database_bytes=2 << 30) as cluster:
        for node in cluster.nodes:
            node.stop()
            load(node, ENTRIES - LOST if node is cluster.nodes[-1] else ENTRIES)
        for node in cluster.nodes:
            node.start()
        cluster.wait_until_linked(60)
        cluster.wait_until_level()
        config = configuration(cluster)
        for rate, what in RUNS:
            before = [server_seconds(node) for node in cluster.nodes]
            program = [sys.executable, "-m", "bench.content", str(config), str(rate), what]
            subprocess.run(program, check=True)
            spent = [server_seconds(node) for node in cluster.nodes]
            most = max(b - a for a, b in zip(before, spent, strict=True))
            print(f"CPU of one slapd             {most:9.1f} s")


def measure(config: Path, rate: float, *, with_values: bool) -> None:
    """Compare in this process, which has nothing else in its memory, and print the results."""
    from ldaphealth.config import load as read  # noqa: PLC0415  a separate process
    from ldaphealth.content.values import ValueSelection  # noqa: PLC0415
    from ldaphealth.tasks.content_diff import ContentDiff, DiffOptions  # noqa: PLC0415

    cluster = read(config).clusters["bench"]
    options = DiffOptions(rate, 30, most=1000, values=ValueSelection(is_on=with_values))
    comparison = ContentDiff(cluster, options)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak (proc(5))
    idle, cpu, began = peak_kibibytes(), time.process_time(), time.monotonic()
    comparison.run()
    seconds = time.monotonic() - began
    found = comparison.progress
    entries = max(found.entries.values())
    read_rate = max(reader.rows for reader in comparison.readers) / seconds
    assert (found.different, found.unsettled, found.not_compared) == (LOST, 0, {}), found
    print(f"\nentries per second allowed   {rate:9,.0f} of each server, values: {with_values}")
    print(f"entries per second read      {read_rate:9,.0f}, kept: {read_rate <= rate}")
    print(f"entries compared             {entries:9,} on {len(comparison.readers)} servers")
    print(f"differences found            {found.different:9,} of {LOST:,}")
    print(f"time                         {seconds:9.1f} s, CPU {time.process_time() - cpu:.1f} s")
    print(f"peak memory above idle       {(peak_kibibytes() - idle) / 1024:9.1f} MiB")


def peak_kibibytes() -> int:
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1])


def server_seconds(node: Node) -> float:
    assert node.pid is not None
    return sum(psutil.Process(node.pid).cpu_times()[:2])


def load(node: Node, count: int) -> None:
    entries = islice(ldif(), count)
    while part := "".join(islice(entries, ON_ONE_RUN)):
        node.tool("add", "-q", "-b", SUFFIX, ldif=part)


def ldif() -> Iterator[str]:
    """Yield entries that are the same each time."""
    picked = random.Random(1)  # noqa: S311
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(ENTRIES):
        moment += timedelta(microseconds=picked.randrange(1, 100_000))
        stamp = f"{moment:%Y%m%d%H%M%S}"
        entry_uuid = uuid.UUID(int=picked.getrandbits(128))
        yield (
            f"dn: uid=bench{number},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: bench{number}\n"
            f"cn: Bench {number}\nsn: {number}\nentryUUID: {entry_uuid}\n"
            f"entryCSN: {stamp}.{moment.microsecond:06}Z#000000#001#000000\n"
            f"creatorsName: {ROOT_DN}\ncreateTimestamp: {stamp}Z\n"
            f"modifiersName: {ROOT_DN}\nmodifyTimestamp: {stamp}Z\n\n"
        )


def configuration(cluster: Cluster) -> Path:
    path = cluster.directory / "bench.yaml"
    servers = ", ".join(f"{node.name}: '{node.uri}'" for node in cluster.nodes)
    password_file = cluster.accounts.check.password_file
    path.write_text(
        f"credentials: {{probe: {{dn: '{CHECK_DN}', password_file: {password_file}}}}}\n"
        f"clusters:\n  bench:\n    suffix: {SUFFIX}\n    credentials: probe\n"
        f"    servers: {{{servers}}}\n"
    )
    return path


if __name__ == "__main__":
    main()
