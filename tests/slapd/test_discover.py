"""`ldaphealth discover` with real servers: what it finds and prints; it writes to none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Cluster
from demo.logging_slapd import ROOT, LoggingSlapd
from demo.node import DATABASE, Node
from demo.tree import CHECK_DN, SUFFIX
from ldaphealth.config import load
from ldaphealth.model import Role
from ldaphealth.settings import Cluster as Configured

pytestmark = pytest.mark.slapd

CONFIG, MONITOR = "olcDatabase={0}config,cn=config", "olcDatabase={2}monitor,cn=config"
WRITES = re.compile(r"conn=\d+ op=\d+ (ADD|MOD|MODRDN|DEL|PASSMOD)\b")


def run(*arguments: object, status: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ldaphealth", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


def discover(
    cluster: Cluster, *more: object, uris: tuple[str | None, ...] = (), status: int = 0
) -> tuple[str, str]:
    account = cluster.accounts.check
    options = ("--no-dns", "--bind-dn", account.dn, "--password-file", account.password_file)
    return run("discover", *(uris or (cluster.nodes[0].uri,)), *options, *more, status=status)


def written(cluster: Cluster, path: Path, *more: object, **given: Any) -> Configured:
    """Return the cluster of the configuration, after `config check` and one good round of it."""
    discover(cluster, "--ca-file", cluster.ca_file, "--output", path, *more, **given)
    run("config", "check", path)
    run("check", "--config", path)
    (found,) = load(path).clusters.values()
    return found


def permit_reading_of_config(node: Node) -> None:
    """Give the account the right that the printed configuration names."""
    text, _ = run(
        *("discover", node.uri, "--no-dns", "--measure", "0", "--bind-dn", CHECK_DN),
        *("--password-file", node.check.credentials.password_file),  # type: ignore[union-attr]
    )
    (rule,) = re.findall(r'olcAccess: (to dn.subtree="cn=config" .*?)   \(', text)
    node.root.modify(CONFIG, f"add: olcAccess\nolcAccess: {{0}}{rule}")


@pytest.fixture
def polling() -> Iterator[Cluster]:
    """Return two providers, a consumer, and one that polls every five seconds, all with TLS."""
    with Cluster(size=4, tls=True, consumers={3: 1, 4: 1}) as cluster:
        node = cluster.nodes[3]
        line = node.links[0].directive()
        line = line.replace("refreshAndPersist", "refreshOnly interval=00:00:00:05")
        node.root.modify(DATABASE, f"replace: olcSyncrepl\nolcSyncrepl: {line}")
        yield cluster


def test_from_one_server_to_a_configuration_that_works(cluster: Cluster, tmp_path: Path) -> None:
    """The account reads the data and cn=Monitor; cn=config is hidden, as with a slapd.conf."""
    path = tmp_path / "ldaphealth.yaml"

    found = written(cluster, path, "--measure", "2s", "--cluster", "example")

    assert found.name == "example"
    assert {each.uri for each in found.servers} == {node.uri for node in cluster.nodes}
    assert {each.role for each in found.servers} == {Role.PROVIDER}
    assert all(each.tls.start_tls for each in found.servers)
    text = path.read_text()
    assert "role: inferred: its changes come back to it" in text
    assert re.search(r"measured: \S+ \S+ is the 0.99 quantile of", text)
    assert "cn=config (server IDs" in text
    names = {each.name for each in found.checks}
    assert {"search", "replication", "consumer", "monitor", "entry_count", "resources"} <= names


def test_consumers_and_polls_by_cn_config(polling: Cluster, tmp_path: Path) -> None:
    for node in polling.nodes:
        permit_reading_of_config(node)
    uris = tuple(node.uri for node in polling.nodes)

    found = written(polling, tmp_path / "a.yaml", "--measure", "0", uris=uris)

    assert [each.role for each in found.servers] == [Role.PROVIDER] * 2 + [Role.CONSUMER] * 2
    text = (tmp_path / "a.yaml").read_text()
    assert "cn=config (server IDs" not in text
    assert len(re.findall(r"server\s[#\s]*ID\s[#\s]*[1-4]\n", text)) == 4


def test_polls_by_cn_monitor(polling: Cluster, tmp_path: Path) -> None:
    uris = tuple(node.uri for node in polling.nodes)

    found = written(polling, tmp_path / "a.yaml", "--measure", "0", uris=uris)

    roles = {each.uri: each.role for each in found.servers}
    assert roles == dict.fromkeys(uris[:2], Role.PROVIDER) | dict.fromkeys(uris[2:], Role.CONSUMER)
    assert [each.poll_interval_seconds for each in found.servers][3] == 5
    assert "it polls, by the times of its polls in cn=Monitor" in (tmp_path / "a.yaml").read_text()


def test_the_administrator_sees_olcsyncrepl_and_no_password_is_printed(polling: Cluster) -> None:
    account = polling.accounts.root
    password = account.password_file.read_text()

    text, _ = run(
        *("discover", polling.nodes[3].uri, "--no-dns", "--measure", "0", "--format", "json"),
        *("--bind-dn", account.dn, "--password-file", account.password_file),
    )

    document = json.loads(text)
    assert password not in text
    assert {each["uri"] for each in document["servers"]} == {
        polling.nodes[each].uri for each in (0, 1, 3)
    }
    first = document["servers"][0]
    assert first["role"] == {
        "role": "consumer",
        "evidence": "olcSyncrepl, and cn=config has olcMultiProvider FALSE",
        "is_known": True,
        "poll_interval_seconds": 5.0,
        "polls_by": "type=refreshOnly in olcSyncrepl",
    }
    assert first["config"]["server_ids"] == ["4"]


def test_one_server_by_two_ports_is_one(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    account = cluster.accounts.root

    text, _ = run(
        *("discover", node.uri, node.ldaps_uri, "--no-dns", "--measure", "0", "--format", "json"),
        *("--bind-dn", account.dn, "--password-file", account.password_file),
        *("--ca-file", cluster.ca_file),
    )

    servers = json.loads(text)["servers"]
    assert len(servers) == len(cluster.nodes)
    assert servers[0]["uris"] == [node.uri, node.ldaps_uri]


def test_without_rights_the_checks_that_cannot_work_are_off(cluster: Cluster) -> None:
    text, _ = run("discover", cluster.nodes[0].uri, "--no-dns", "--measure", "0")

    for check in ("search", "replication", "consumer", "entry_count", "resources", "monitor"):
        assert f"      {check}: off\n" in text
    assert f'#   olcAccess: to dn.base="{SUFFIX}" by anonymous read by * break\n' in text
    assert '#   olcAccess: to dn.subtree="cn=Monitor" by anonymous read by * break' in text
    assert "role: not known, so provider is assumed" in text


def test_a_hidden_monitor_on_one_server_leaves_the_checks_on_the_others(
    cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.nodes[3]
    before = node.root.read(MONITOR, "olcAccess")
    node.root.modify(MONITOR, "replace: olcAccess\nolcAccess: to * by * none")
    try:
        found = written(cluster, tmp_path / "a.yaml", "--measure", "0")
    finally:
        lines = "".join(f"olcAccess: {each}\n" for each in before)
        node.root.modify(MONITOR, f"replace: olcAccess\n{lines}")

    checks = {each.name: {each.name for each in found.servers_of(each)} for each in found.checks}
    hidden = {each.name for each in found.servers if each.uri == node.uri}
    assert checks["monitor"] == checks["resources"] == checks["search"] - hidden


def test_a_file_that_exists_is_never_replaced(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("mine")

    _, error = discover(cluster, "--output", path, status=3)

    assert "exists: move it away" in error
    assert path.read_text() == "mine"


def test_a_wrong_password_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(0o600)
    wrong.write_text("wrong")

    _, error = run(
        *("discover", cluster.nodes[0].uri, "--no-dns", "--bind-dn", CHECK_DN),
        *("--password-file", wrong),
        status=3,
    )

    assert len(error.splitlines()) == 1
    assert error.startswith("ldaphealth: no server could be read: ldap://127.0.0.1")
    assert "password refused for" in error


def test_a_password_goes_in_the_clear_only_where_that_is_permitted(tmp_path: Path) -> None:
    """127.1 is not known to be this host before it is looked up; this slapd has no TLS."""
    with LoggingSlapd(tmp_path, people=2) as slapd:
        uri = slapd.url.replace("127.0.0.1", "127.1")
        options = ["--no-dns", "--measure", "0", "--bind-dn", ROOT]
        options += ["--password-file", str(slapd.password_file)]
        before = len(slapd.log.read_text(errors="replace"))

        _, error = run("discover", uri, *options, status=3)
        log = slapd.log.read_text(errors="replace")[before:]
        text, _ = run("discover", uri, *options, "--cleartext")

    assert len(error.splitlines()) == 1
    assert "the password is not sent in the clear: give" in error
    assert "EXT oid=1.3.6.1.4.1.1466.20037" in log  # StartTLS
    assert " BIND " not in log
    assert "tls: {start_tls: false}" in text
    assert "# without TLS: StartTLS" in text


def test_no_write_reaches_a_server(tmp_path: Path) -> None:
    with LoggingSlapd(tmp_path, people=2) as slapd:
        run(
            *("discover", slapd.url, "--no-dns", "--measure", "1s"),
            *("--bind-dn", ROOT, "--password-file", slapd.password_file),
        )
        log = slapd.log.read_text(errors="replace")

    assert len(re.findall(r" BIND dn=", log)) > 5
    assert " SRCH base=" in log
    assert WRITES.findall(log) == []
    names = {*re.findall(r"conn=\d+ op=\d+ ([A-Z]+)\b", log)}
    assert names <= {"BIND", "SRCH", "SEARCH", "RESULT", "UNBIND", "EXT", "STARTTLS", "WHOAMI"}


def test_a_slapd_without_monitor_and_replication(tmp_path: Path) -> None:
    """It has a slapd.conf, no TLS and no cn=Monitor: what does not apply is off, the rest works."""
    path = tmp_path / "a.yaml"
    with LoggingSlapd(tmp_path, people=2) as slapd:
        run(
            *("discover", slapd.url, "--no-dns", "--measure", "0", "--output", path),
            *("--bind-dn", ROOT, "--password-file", slapd.password_file),
        )
        run("config", "check", path)
        run("check", "--config", path)

    text = path.read_text()
    assert f"cn=Monitor on {slapd.url}: the root DSE has no monitorContext" in text
    for check in ("certificate", "replication", "consumer", "entry_count", "monitor"):
        assert f"      {check}: off\n" in text
    assert "cn=accesslog" not in text


def test_thresholds_are_above_what_is_normal_on_the_slowest_server(
    cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.nodes[1]
    node.slow_searches(0.2)

    found = written(cluster, tmp_path / "a.yaml", "--measure", "3s")

    limits = {each.name: each.params for each in found.checks}["search"].seconds
    assert limits.warning.end >= 5 * 0.2
    assert limits.critical.end >= 20 * 0.2
    assert found.deadline_seconds > limits.critical.end
    slowest = next(each.name for each in found.servers if each.uri == node.uri)
    assert re.search(rf"quantile of {slowest}, the slowest", (tmp_path / "a.yaml").read_text())
