"""Where real slapd has contextCSN: in a subentry, at a superior suffix, at the empty suffix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo import ports
from demo.cluster import Cluster
from demo.node import DATABASE
from demo.programs import slapd_for
from demo.slapd import Slapd
from demo.slapd_conf import MODULES, SCHEMA
from demo.tree import PEOPLE, SUFFIX
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.replication import Params
from ldaphealth.model import Server, State
from ldaphealth.settings import Cluster as Configured
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.tasks.content_diff import ContentDiff, DiffOptions
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import out, watched

pytestmark = pytest.mark.slapd

CHECKS = ("connect", "bind", "replication", "unbind")
OPTIONS = DiffOptions(entries_per_second=10_000, wait_seconds=5, most=10)
POSITION = "20260101120000.000000Z#000000#001#000000"
EMPTY_SUFFIX = """\
include {schema}/core.schema
modulepath {modules}
moduleload back_mdb
moduleload syncprov
serverID 1
database mdb
suffix ""
directory {database}
rootdn cn=admin,dc=com
access to * by * read
overlay syncprov
"""


def entry(dn: str, number: int, *lines: str) -> str:
    """Return an entry as slapd stores it, the same on all servers."""
    stamp = "20260101120000Z"
    return "\n".join(
        (
            f"dn: {dn}",
            *lines,
            f"entryUUID: 00000000-0000-4000-8000-{number:012}",
            f"entryCSN: {POSITION}",
            "creatorsName: cn=admin,dc=com",
            f"createTimestamp: {stamp}",
            "modifiersName: cn=admin,dc=com",
            f"modifyTimestamp: {stamp}",
            "\n",
        )
    )


ROOT = entry("", 1, "objectClass: organization", "o: root", f"contextCSN: {POSITION}")
COM = entry("dc=com", 2, "objectClass: dcObject", "objectClass: organization", "o: c", "dc: com")
EXTRA = entry("cn=extra,dc=com", 3, "objectClass: device", "cn: extra")


@pytest.fixture
def subentry() -> Iterator[Cluster]:
    """Return two providers that keep contextCSN in a subentry, and none in the suffix."""
    with Cluster(size=2) as cluster:
        for node in cluster.nodes:
            node.root.modify(DATABASE, "replace: olcSyncUseSubentry\nolcSyncUseSubentry: TRUE")
            node.stop()
            entries = node.tool("cat", "-b", SUFFIX)
            for file in node.database.iterdir():
                file.unlink()
            lines = (line for line in entries.splitlines() if not line.startswith("contextCSN:"))
            node.tool("add", "-b", SUFFIX, ldif="\n".join([*lines, ""]))
        for node in cluster.nodes:
            node.start()
        cluster.wait_until_linked()
        yield cluster


def test_context_csn_in_a_subentry_is_compared(subentry: Cluster) -> None:
    one, other = subentry.nodes
    one.write()
    assert one.context_csn() == ()
    configured = watched(subentry, checks=CHECKS)
    states = {verdict.state for verdict in evaluate([configured]).verdicts}
    comparison = ContentDiff(configured, OPTIONS)
    comparison.run()
    other.cut_replication()
    one.write()

    assert states == {State.OK}
    assert (comparison.progress.not_compared, comparison.progress.different) == ({}, 0)
    assert out(evaluate([replace(configured, min_in_service=0)])) == {
        "c/ldap2": ["replication.behind"]
    }


def test_a_base_below_the_one_with_context_csn_is_told_where_it_is(cluster: Cluster) -> None:
    """As of a glued database, whose contextCSN is in the suffix of its superior."""
    configured = watched(cluster, checks=CHECKS)
    replication = BUILT_IN["replication"]
    below = ConfiguredCheck(replication, Params(base=PEOPLE), replication.effect)
    checks = tuple(below if each.check is replication else each for each in configured.checks)
    snapshot = evaluate([replace(configured, checks=checks)])
    found = [each for verdict in snapshot.verdicts for each in verdict.findings]
    summaries = {each.summary for each in found if each.code == "no_csn"}

    assert len(summaries) == 1
    assert f"at {PEOPLE}, but at {SUFFIX}, " in summaries.pop()


@pytest.fixture
def empty_suffix(tmp_path: Path) -> Iterator[tuple[Server, Server, Server]]:
    """Return three servers with a database of the empty suffix; the third has one entry more."""
    servers = []
    with ExitStack() as opened:
        reservation = ports.reserve(3, ("127.0.0.1",))
        opened.callback(reservation.release)
        binary = slapd_for(tmp_path)
        for name, port in zip(("a", "b", "more"), reservation.ports, strict=True):
            uri = f"ldap://127.0.0.1:{port}"
            slapd = Slapd(binary, tmp_path / name, (uri,))
            slapd.database.mkdir(parents=True)
            slapd.config.mkdir()
            conf = tmp_path / f"{name}.conf"
            conf.write_text(
                EMPTY_SUFFIX.format(schema=SCHEMA, modules=MODULES, database=slapd.database)
            )
            slapd.tool("test", "-n", "0", "-f", str(conf))
            slapd.tool("add", "-b", "", ldif=ROOT + COM + (EXTRA if name == "more" else ""))
            opened.callback(slapd.stop)
            slapd.start()
            servers.append(Server(cluster="c", name=name, uri=uri))
        one, other, more = servers
        yield one, other, more


def test_databases_with_the_empty_suffix_are_compared(
    empty_suffix: tuple[Server, Server, Server],
) -> None:
    one, other, more = empty_suffix
    differences = []
    for pair in ((one, other), (one, more)):
        comparison = ContentDiff(
            Configured(name="c", servers=pair, checks=(), min_in_service=0), OPTIONS
        )
        comparison.run()
        assert comparison.progress.not_compared == {}
        differences.append([each.dn for each in comparison.progress.differences])

    assert differences == [[], ["cn=extra,dc=com"]]
