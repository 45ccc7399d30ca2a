"""Faults behind a real keepalived and the kernel's IPVS, and what clients notice of them.

`tests/e2e/test_keepalived.py` runs it in the guest of `tests/e2e/guest.py`. It leaves
`measurements.json`, `table.txt` and `syslog` in the directory of results.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from demo import wait
from demo.cluster import Cluster
from tests.e2e import balancer
from tests.e2e.balancer import PORT, Setup, Syslog, Weights
from tests.e2e.faults import FAULTS, Fault
from tests.e2e.measurement import Measurement, measure, table
from tests.e2e.stage import SERVICES, Stage
from tests.e2e.traffic import Client, Writer, repeating

SAMPLE_SECONDS = 0.05
SEARCH_PAUSE_SECONDS = 0.1
SEARCH_SECONDS = 1.0  # a client that has no answer by then counts as an error
WRITE_PAUSE_SECONDS = 0.8
ONE_SHOT_SECONDS = 1.2  # what a check takes in a guest that has a CPU for itself
START_SECONDS = 15.0
# keepalived waits a second and a random part of delay_loop; then a check may take this long.
FIRST_CHECK_SECONDS = 3.0


def run(setup: Setup, faults: Sequence[Fault], results: Path) -> list[Measurement]:
    """Start everything, and let every fault happen."""
    with contextlib.ExitStack() as running:
        cluster = running.enter_context(Cluster())
        # A guest on a busy host is slower, and checks must not take all of its time.
        slowness = max(1.0, balancer.install(cluster, setup) / ONE_SHOT_SECONDS)
        setup = replace(setup, delay_loop=math.ceil(setup.delay_loop * slowness))
        writer = Writer(cluster.nodes[0])
        stage = Stage(
            cluster,
            Weights({balancer.port(node.uri): node.name for node in cluster.nodes}),
            {
                check: Client((address, PORT), slowness * SEARCH_SECONDS, writer)
                for check, address in SERVICES.items()
            },
            Syslog(results / "syslog"),
            balancer.start(cluster, setup, results),
            setup.delay_loop,
            slowness,
        )
        running.enter_context(repeating(stage.weights.probe, SAMPLE_SECONDS))
        running.enter_context(repeating(writer.write, WRITE_PAUSE_SECONDS))
        for client in stage.clients.values():
            running.enter_context(repeating(client.search, SEARCH_PAUSE_SECONDS))
        # Servers are in from the start; every check must have had its turn before the first fault.
        time.sleep(setup.delay_loop + FIRST_CHECK_SECONDS)
        wait.until(stage.all_in, slowness * START_SECONDS, "not all servers are in service")
        return [each for fault in faults for each in measure(stage, fault)]


def main() -> None:
    """Run in the guest; print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--check", default="")
    parser.add_argument("--daemon", action="append", default=[])
    parser.add_argument("--delay-loop", type=int, default=5)
    parser.add_argument("faults", nargs="+")
    arguments = parser.parse_args()
    setup = Setup(arguments.check, tuple(arguments.daemon), arguments.delay_loop)
    named = {fault.name: fault for fault in FAULTS}
    measurements = run(setup, [named[name] for name in arguments.faults], arguments.results)
    (arguments.results / "measurements.json").write_text(
        json.dumps([asdict(measurement) for measurement in measurements], indent=1)
    )
    text = table(measurements)
    (arguments.results / "table.txt").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
