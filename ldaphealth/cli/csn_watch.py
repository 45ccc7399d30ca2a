"""`ldaphealth csn watch`: the matrix of servers and server IDs, updated live."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.printed_table import print_table
from ldaphealth.cli.targets import select
from ldaphealth.clocks import epoch_seconds
from ldaphealth.tables.csn_matrix import render_matrix
from ldaphealth.tables.terminal import show_live
from ldaphealth.tasks.csn_watch import CSNWatch


def watch_csns(
    cluster: str, config_file: Path, pause_seconds: float, count: int | None, form: str
) -> int:
    """Print the matrix, or show it live on a terminal; return 1 if no server could be read.

    `pause_seconds` is that between two probes.
    """
    (found,) = select([cluster], config_file, None).clusters
    watch = CSNWatch(found)

    def probe() -> dict[str, Any]:
        watch.probe()
        return watch.matrix(epoch_seconds())

    if count is None and form == "text" and sys.stdout.isatty():
        show_live(lambda: render_matrix(probe()), pause_seconds)
        return 0
    matrix = probe()
    for _ in range((count or 2) - 1):
        time.sleep(pause_seconds)
        matrix = probe()
    if form == "json":
        click.echo(json.dumps(matrix, indent=2))
    else:
        print_table(render_matrix(matrix))
    return int(all(each["trouble"] for each in matrix["servers"]))
