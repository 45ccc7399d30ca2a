"""The check `write` with `search: true`: a value that compare finds and a search does not."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.node import DATABASE, SOCK, Node
from demo.tree import CANARIES, CHECK_DN
from ldaphealth.model import CheckEffect
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd
AGENT = "lb1"
FILTER = b"filter: (description="


class Index(socketserver.ThreadingUnixStreamServer):
    """An index of `description` that has lost its keys: a search for a value finds no entry."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Request)


class Request(socketserver.StreamRequestHandler):
    """One request of slapd-sock(5): lines up to an empty one."""

    def handle(self) -> None:
        """Find nothing in searches for a value of `description`; let slapd do the others."""
        lines = list(iter(self.rfile.readline, b"\n"))
        is_lost = any(line.startswith(FILTER) for line in lines)
        self.wfile.write(b"RESULT\ncode: 0\n" if is_lost else b"CONTINUE\n")


@contextlib.contextmanager
def damaged_index(node: Node) -> Iterator[None]:
    """Answer searches for a value of `description` as slapd does after its index was damaged."""
    path = node.directory / "index"
    with Index(path) as index:
        threading.Thread(target=index.serve_forever, args=(0.05,), daemon=True).start()
        node.root.add(f"olcOverlay=sock,{DATABASE}", SOCK.format(path=path))
        try:
            yield
        finally:
            node.root.delete(f"olcOverlay={{1}}sock,{DATABASE}")
            index.shutdown()
    path.unlink()


def reasons(cluster: Cluster, *, search: bool) -> dict[str, tuple[str, ...]]:
    """Return the reasons that would remove a server, by its name, of one evaluation."""
    make_canaries(cluster, AGENT)
    configured = watched(cluster, agent=AGENT, checks=("connect", "bind", "write", "unbind"))
    checks = tuple(
        replace(each, params=replace(each.params, search=search), effect=CheckEffect.OUT)
        if each.check.name == "write"
        else each
        for each in configured.checks
    )
    verdicts = evaluate([replace(configured, checks=checks)]).verdicts
    return {
        each.server.partition("/")[2]: tuple(reason.code for reason in each.reasons)
        for each in verdicts
    }


def test_a_healthy_server_finds_what_was_just_written(cluster: Cluster) -> None:
    assert set(reasons(cluster, search=True).values()) == {()}


def test_a_damaged_index_of_the_written_attribute_is_found_by_a_search_alone(
    cluster: Cluster,
) -> None:
    with damaged_index(cluster.nodes[1]):
        by_compare = reasons(cluster, search=False)
        by_search = reasons(cluster, search=True)

    assert set(by_compare.values()) == {()}
    assert by_search.pop("ldap2") == ("write.not_searchable",)
    assert set(by_search.values()) == {()}


def test_an_account_that_may_not_search_is_named_too(cluster: Cluster) -> None:
    rule = f'to dn.children="{CANARIES}" attrs=description by dn.exact="{CHECK_DN}" =wrcx'
    cluster.nodes[0].forbid(rule)

    assert reasons(cluster, search=True)["ldap1"] == ("write.not_searchable",)
