"""Entries that are missing while contextCSNs agree are found by their number; writes are not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import PEOPLE, PEOPLE_COUNT, SUFFIX
from ldaphealth.checks.entry_count import Params
from ldaphealth.config import load
from ldaphealth.model import Finding, State, Trust
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.recorded import Recorded
from tests.slapd.running_agent import RunningAgent
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd

CHECKS = ("write", "replication", "entry_count", "resources")
PARAMS = {"entry_count": Params(quiet_seconds=1)}
ENTRY = "dn: {dn}\nchangetype: {type}\n{attributes}\n"


def findings(recorded: Recorded) -> dict[str, Finding]:
    """Return the newest finding on each server."""
    verdicts = recorded.decided[-1][1]
    return {
        server.rpartition("/")[2]: next(f for f in of.findings if f.check == "entry_count")
        for server, of in verdicts.items()
    }


def differing(recorded: Recorded) -> set[str]:
    """Return the servers that differ, empty while one is not compared yet."""
    found = findings(recorded)
    if "collecting" in {each.code for each in found.values()}:
        return set()
    return {name for name, each in found.items() if each.code == "differs"}


def codes(recorded: Recorded) -> set[str]:
    """Return the codes of all findings until now."""
    return {
        finding.code
        for _, verdicts in recorded.decided
        for verdict in verdicts.values()
        for finding in verdict.findings
        if finding.check == "entry_count"
    }


def lose(node: Node, count: int) -> None:
    """Delete some people as `Node.empty` deletes all."""
    lost = dict([*node._people().items()][:count])
    deletions = (ENTRY.format(dn=dn, type="delete", attributes="") for dn in lost)
    node.tool("modify", "-b", SUFFIX, ldif="".join(deletions))
    node._undo.callback(node._restore, lost)


@contextmanager
def adding_and_deleting(*nodes: Node) -> Iterator[None]:
    """Add and delete an entry again and again, on each node another one."""
    done = threading.Event()

    def write(node: Node) -> None:
        dn = f"ou=of {node.name},{PEOPLE}"
        attributes = f"objectClass: organizationalUnit\nou: of {node.name}\n"
        add = ENTRY.format(dn=dn, type="add", attributes=attributes)
        delete = ENTRY.format(dn=dn, type="delete", attributes="")
        for pause in itertools.cycle((0.0, 0.05, 0.1, 0.3)):
            if done.wait(pause):
                return
            node.root.change(add)
            done.wait(pause)
            node.root.change(delete)

    writers = [threading.Thread(target=write, args=(node,)) for node in nodes]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        done.set()
        for writer in writers:
            writer.join()


def test_the_server_without_the_entries_is_found_although_canaries_are_written(
    cluster: Cluster,
) -> None:
    make_canaries(cluster, "lb1")
    with Recorded(cluster, CHECKS, params=PARAMS) as recorded:
        wait.until(lambda: {f.code for f in findings(recorded).values()} == {"ok"}, 10.0, "not ok")
        cluster.nodes[2].empty()
        wait.until(lambda: differing(recorded) == {"ldap3"}, 10.0, "not found")
        found = findings(recorded)

    total = found["ldap1"].metrics[0].value
    assert found["ldap3"].metrics[0].value == total - PEOPLE_COUNT
    assert (found["ldap3"].state, found["ldap3"].trust) == (State.CRITICAL, Trust.SOFT)
    assert found["ldap3"].summary.startswith(
        f"{total - PEOPLE_COUNT:.0f} entries, but {total:.0f} on most servers, although all have "
    )


def test_two_servers_are_both_named(cluster: Cluster) -> None:
    two = watched(cluster, nodes=cluster.nodes[:2]).servers
    cluster.nodes[1].empty()
    with Recorded(cluster, CHECKS[1:], params=PARAMS, servers=two) as recorded:
        wait.until(lambda: differing(recorded) == {"ldap1", "ldap2"}, 10.0, "not found")
        found = findings(recorded)

    assert {each.trust for each in found.values()} == {Trust.INFORMATIVE}
    assert "on ldap2, although" in found["ldap1"].summary
    assert "on ldap1, although" in found["ldap2"].summary


def bulk_load(cluster: Cluster) -> None:
    entries = (
        ENTRY.format(
            dn=f"ou=bulk {number},{PEOPLE}",
            type=kind,
            attributes=f"objectClass: organizationalUnit\nou: bulk {number}\n" * (kind == "add"),
        )
        for kind in ("add", "delete")
        for number in range(1500)
    )
    cluster.nodes[0].root.change("".join(entries))


def ordinary_writes(cluster: Cluster) -> None:
    with adding_and_deleting(*cluster.nodes[:2]):
        threading.Event().wait(8.0)


def a_cut_link(cluster: Cluster) -> None:
    cluster.nodes[3].cut_replication()
    cluster.nodes[0].root.add(f"ou=new,{PEOPLE}", "objectClass: organizationalUnit\nou: new")
    threading.Event().wait(3.0)
    cluster.nodes[0].root.delete(f"ou=new,{PEOPLE}")


@pytest.mark.parametrize("happens", [bulk_load, ordinary_writes, a_cut_link])
def test_nothing_is_reported_while_entries_come_and_go(
    happens: Callable[[Cluster], None], cluster: Cluster
) -> None:
    with Recorded(cluster, CHECKS[1:], params=PARAMS, interval_seconds=0.15) as recorded:
        wait.until(lambda: {f.code for f in findings(recorded).values()} == {"ok"}, 10.0, "not ok")
        happens(cluster)
        cluster.heal()
        before = len(recorded.decided)
        wait.until(lambda: len(recorded.decided) > before + 60, 30.0, "it stands still")

    assert codes(recorded) <= {"ok", "collecting", "not_applicable"}


def test_by_setting_it_takes_the_server_out_until_it_is_repaired(
    cluster: Cluster, tmp_path: Path
) -> None:
    setting = "entry_count: {quiet_seconds: 1, effect: out}"
    with RunningAgent(cluster, tmp_path, interval_seconds=0.2, more_checks=setting) as agent:
        lose(cluster.nodes[2], 1)
        agent.wait_for("ldap3", 1, 20.0)
        reasons = {each["code"] for each in agent.verdict("ldap3")["reasons"]}
        cluster.heal()
        agent.wait_for("ldap3", 0, 20.0)
    for node in cluster.nodes:
        cluster.nodes[0].root.delete(f"cn=agent c/{node.name},ou=ldaphealth,{SUFFIX}")

    assert reasons == {"entry_count.differs"}


def test_a_single_check_reads_again_before_it_reports(cluster: Cluster, config: Path) -> None:
    cluster.nodes[2].empty()
    read = load(config).clusters["c"]

    found: dict[str, str] = {}

    def are_compared() -> bool:
        found.clear()
        found.update(
            (verdict.server, finding.code)
            for verdict in evaluate([read]).verdicts
            for finding in verdict.findings
            if finding.check == "entry_count"
        )
        return "collecting" not in found.values()

    # On a busy host changes of the tests before may still be on their way.
    wait.until(are_compared, 60.0, "the numbers are not compared")
    assert found == {"c/ldap1": "ok", "c/ldap2": "ok", "c/ldap3": "differs", "c/ldap4": "ok"}
