"""A database that fills is warned of by a real agent, with the numbers of its slapd."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.node import Node
from demo.tree import PEOPLE
from ldaphealth.clocks import HOUR_SECONDS
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.settings import HistorySettings
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.levels import HOUR, bounds_of
from ldaphealth.store.point_tables import NUMBERS
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

DATABASE_BYTES = 4 << 20
PAGES = "(objectClass=olmMDBDatabase)"
HOURS = 14 * 24  # of the past
DAYS_LEFT = 4
WAIT_SECONDS = 30.0
PAD = "x" * 3000


def pages(node: Node) -> tuple[str, int, int]:
    """Return the suffix of the database, its pages in use, and those that it can have."""
    names = ("namingContexts", "olmMDBPagesMax", "olmMDBPagesUsed", "olmMDBPagesFree")
    (entry,) = node.root.search("cn=Databases,cn=Monitor", PAGES, *names)
    (suffix,), (most,), (used,), (free,) = (entry[name] for name in names)
    return suffix, int(used) - int(free), int(most)


def fill(node: Node, ratio: float) -> None:
    """Add entries until such a share of the pages is in use."""
    for batch in range(100):
        _, used, most = pages(node)
        if used > ratio * most:
            return
        node.root.change(
            "".join(
                f"dn: cn=fill{batch}-{number},{PEOPLE}\nchangetype: add\nobjectClass: device\n"
                f"cn: fill{batch}-{number}\ndescription: {PAD}\n\n"
                for number in range(25)
            )
        )
    raise AssertionError("the database does not fill")


def remember(agent: RunningAgent, node: Node, steps: list[float]) -> None:
    """Write into the history how many pages were in use in each hour before this one."""
    suffix, _, most = pages(node)
    file = HistoryFile(
        agent.directory / "state" / "history.sqlite3", bounds_of(HistorySettings()), time.time
    )
    now = int(time.time()) // HOUR_SECONDS * HOUR_SECONDS
    connection = file.connection()
    with connection:
        for back, used in enumerate(reversed(steps), 1):
            numbers = {
                "resources": {
                    f"database_pages {suffix}": aggregate_of([float(int(used))]),
                    f"database_pages_max {suffix}": aggregate_of([float(most)]),
                }
            }
            place = now - back * HOUR_SECONDS, f"c/{node.name}"
            add_fresh(connection, NUMBERS, HOUR, place, numbers)
    file.fold(time.time())
    file.close()


def finding(agent: RunningAgent, node: Node) -> dict[str, str]:
    """Return what the check says of a server, once it does."""
    found: list[dict[str, str]] = []

    def is_there() -> bool:
        done = agent.run("explain", f"c/{node.name}", "--format", "json")
        judged = json.loads(done.stdout)["judged"] if done.returncode == 0 else []
        found[:] = [each for each in judged if each["check"] == "forecast"]
        return bool(found)

    agent.program.wait_until(is_there, WAIT_SECONDS, "no forecast")
    return found[0]


def test_a_database_that_fills_is_warned_of(tmp_path: Path) -> None:
    with Cluster(size=2, database_bytes=DATABASE_BYTES) as cluster:
        filling, steady = cluster.nodes
        agent = RunningAgent(cluster, tmp_path)
        with agent:
            assert finding(agent, filling)["code"] == "collecting"
            agent.stop()
            (agent.directory / "state" / "history.sqlite3").unlink()  # of before it filled
            fill(filling, 0.78)
            cluster.wait_until_level()
            _, used, most = pages(filling)
            growth = (most - used) / (24 * DAYS_LEFT)
            remember(agent, filling, [used - growth * back for back in range(HOURS, 0, -1)])
            remember(agent, steady, [float(used)] * HOURS)
            agent.start()
            soon, calm = finding(agent, filling), finding(agent, steady)
            verdict = agent.verdict(filling.name)
            status = agent.run("status").stdout

    assert (soon["code"], soon["state"]) == ("full_soon", "WARNING")
    assert "is full in about " in soon["summary"]
    assert "of its pages are in use" in soon["summary"]
    assert calm["code"] == "ok"
    assert calm["summary"].startswith("nothing will be full within 6 d")
    assert verdict["in_service"]
    assert "forecast.full_soon" in status
