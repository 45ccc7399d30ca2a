"""How long a backtest takes: 30 days of one cluster, a number of the hours with a fault.

An hour without a fault and one with a fault are simulated, and copied: what the journal of a month
has. The times within the copies are the same, which changes nothing in the work. `make bench`
prints the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, process_time

from msgspec.structs import replace

from ldaphealth.backtest.backtest import Backtest
from ldaphealth.backtest.trial import Trial
from ldaphealth.checks import find
from ldaphealth.judging.thresholds import at_most
from ldaphealth.settings import Cluster
from ldaphealth.store.journal_files import BEGAN, END, Segment, segments_by_cluster
from tests.agent import simulated_site
from tests.agent.recorded import START, Recording

INTERVAL_SECONDS = 5.0
HOURS = 30 * 24
HOUR_SECONDS = 3600.0
FAULT_SECONDS = 300.0
SLOW = simulated_site.Fault.SLOW


def settings(servers: int) -> Cluster:
    """Return the settings of the site."""
    found = simulated_site.site_cluster(servers)
    return replace(found, interval_seconds=INTERVAL_SECONDS, min_in_service=servers // 2)


def record(directory: Path, servers: int) -> tuple[Segment, Segment]:
    """Record three hours, and return one without a fault, and one with a slow server."""
    simulated_site.INTERVAL_SECONDS = INTERVAL_SECONDS
    site = simulated_site.Site(seed=1, settings=lambda _: settings(servers))
    recording = Recording(site, directory, HOUR_SECONDS)
    while site.now < 3 * HOUR_SECONDS + INTERVAL_SECONDS:
        if site.now > 2.5 * HOUR_SECONDS and not site.faults:
            site.faults["c/s1"] = SLOW, site.now + FAULT_SECONDS
        site.step()
    recording.close()
    _, calm, faulty, *_ = segments_by_cluster(directory)["c"]
    return calm, faulty


def copied(calm: Segment, faulty: Segment, faults: int, directory: Path) -> list[Segment]:
    """Write the month, with the faults at the same distances."""
    content = {each.path: each.path.read_bytes() for each in (calm, faulty)}
    for hour in range(HOURS):
        is_faulty = faults and hour % (HOURS // faults) == 0
        source = faulty if is_faulty else calm
        began = datetime.fromtimestamp(START + hour * HOUR_SECONDS, UTC)
        (directory / f"c.{began.strftime(BEGAN)}{END}").write_bytes(content[source.path])
    return segments_by_cluster(directory)["c"]


def main() -> None:
    """Print a line for each number of faults."""
    parser = argparse.ArgumentParser("python -m bench.backtest", description=__doc__)
    parser.add_argument("--faults", type=int, nargs="*", default=[0, 5, 10, 20])
    parser.add_argument("--servers", type=int, default=20)
    options = parser.parse_args()
    usual = settings(options.servers)
    stricter = replace(
        usual,
        checks=tuple(
            replace(each, params=replace(each.params, seconds=at_most(0.4, 1.0)))
            if each.name == "search"
            else each
            for each in usual.checks
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.mkdir()
        calm, faulty = record(source, options.servers)
        print(f"{options.servers} servers, {HOURS // 24} days, {calm.bytes} bytes an hour")
        print("hours with a fault   calm segments   seconds   CPU seconds")
        for faults in options.faults:
            directory = Path(name) / str(faults)
            directory.mkdir()
            found = copied(calm, faulty, faults, directory)
            backtest = Backtest([Trial(stricter)], find)
            began, spent = monotonic(), process_time()
            backtest.read(found)
            calm_segments = backtest.published.calm
            print(
                f"{faults:18}   {calm_segments:13}   {monotonic() - began:7.1f}   "
                f"{process_time() - spent:11.1f}"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
