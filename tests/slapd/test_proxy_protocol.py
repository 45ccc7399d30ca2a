"""Ports that expect the PROXY protocol: listeners of slapd, and HAProxy with `accept-proxy`."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo import ports, tree
from demo.cluster import Cluster
from demo.programs import slapd_for
from demo.running_program import RunningProgram
from demo.slapd import Slapd
from demo.tree import CHECK_DN, SUFFIX
from ldaphealth.config import load
from ldaphealth.model import State, Verdict
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.haproxy import HOST, program

pytestmark = pytest.mark.slapd

SLAPD = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
loglevel 0
TLSCACertificateFile {authority}
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
database mdb
suffix {suffix}
directory {database}
access to attrs=userPassword by * auth
access to * by * read
"""
HAPROXY = """\
defaults
    mode tcp
    timeout connect 2s
    timeout client 20s
    timeout server 20s
listen ldap
    bind {host}:{port} accept-proxy
    server slapd {host}:{backend} send-proxy-v2
"""
CONFIG = """\
credentials: {{probe: {{dn: "{dn}", password_file: "{password_file}"}}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    deadline_seconds: 2
    tls: {{ca_file: "{ca_file}"}}
    servers:
      s: {{uri: "{uri}", {more}}}
"""
SESSION = ("connect", "bind", "certificate", "search", "unbind")


@dataclass
class Proxied:
    """One slapd, and HAProxy before it: their ports with the PROXY protocol, and one without."""

    cluster: Cluster
    directory: Path
    proxied: int
    proxied_tls: int
    haproxy: int
    plain: int

    def verdict(self, uri: str, more: str = "") -> Verdict:
        """Return the verdict of a one-shot check with this URI, and more settings of the server."""
        path = self.directory / "ldaphealth.yaml"
        path.write_text(
            CONFIG.format(
                dn=CHECK_DN,
                password_file=self.cluster.accounts.check.password_file,
                suffix=SUFFIX,
                ca_file=self.cluster.ca_file,
                uri=uri,
                more=more,
            )
        )
        return evaluate([load(path).clusters["c"]]).verdicts[0]


@pytest.fixture(scope="module")
def proxied(
    running_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    cluster, directory = running_cluster, tmp_path_factory.mktemp("proxied")
    reserved = ports.reserve(4, (HOST,))
    found = Proxied(cluster, directory, *reserved.ports)
    schemes = {"pldap": found.proxied, "pldaps": found.proxied_tls, "ldap": found.plain}
    urls = tuple(f"{scheme}://{HOST}:{port}" for scheme, port in schemes.items())
    # A new directory: a worker may set the fixture up again, for a test of another one.
    own = Path(tempfile.mkdtemp(prefix="proxied-", dir=cluster.directory))
    slapd = Slapd(slapd_for(cluster.directory), own, urls)
    assert cluster.authority
    files = cluster.authority.issue("proxied", (HOST,))
    conf = SLAPD.format(
        authority=files.authority,
        chain=files.chain,
        key=files.key,
        suffix=SUFFIX,
        database=slapd.database,
    )
    slapd.load(conf, tree.ldif(datetime.now(UTC)))
    slapd.start()
    config = directory / "haproxy.cfg"
    config.write_text(HAPROXY.format(host=HOST, port=found.haproxy, backend=found.proxied))
    haproxy = RunningProgram([program(), "-db", "-f", config], directory / "haproxy.log")
    haproxy.start(lambda: is_listening(found.haproxy), 10.0, "HAProxy does not listen")
    yield found
    haproxy.kill()
    slapd.kill()
    reserved.release()


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def test_a_server_with_proxy_protocol_is_as_healthy_as_another(proxied: Proxied) -> None:
    for uri in (
        f"ldap://{HOST}:{proxied.proxied}",
        f"ldaps://{HOST}:{proxied.proxied_tls}",
        f"ldap://{HOST}:{proxied.haproxy}",
    ):
        verdict = proxied.verdict(uri, "proxy_protocol: true")

        states = {each.check: each.state for each in verdict.findings if each.check in SESSION}
        assert states == dict.fromkeys(SESSION, State.OK), uri
        assert verdict.in_service


def test_start_tls_follows_the_protocol(proxied: Proxied) -> None:
    tls = f'tls: {{start_tls: true, ca_file: "{proxied.cluster.ca_file}"}}'

    verdict = proxied.verdict(f"pldap://{HOST}:{proxied.proxied}", tls)

    assert verdict.in_service
    assert {each.state for each in verdict.findings if each.check == "certificate"} == {State.OK}


def test_the_schemes_of_slapd_mean_the_same(proxied: Proxied) -> None:
    assert proxied.verdict(f"pldap://{HOST}:{proxied.haproxy}").in_service
    assert proxied.verdict(f"pldaps://{HOST}:{proxied.proxied_tls}").in_service


def test_with_the_protocol_on_one_side_only_there_is_no_session(proxied: Proxied) -> None:
    without = proxied.verdict(f"ldap://{HOST}:{proxied.proxied}")
    needless = proxied.verdict(f"pldap://{HOST}:{proxied.plain}")

    for verdict in (without, needless):
        assert not verdict.in_service
        assert {each.code for each in verdict.reasons} == {"bind.disconnected"}


def test_the_commands_take_it_too(proxied: Proxied) -> None:
    by_url = ("ldaphealth", "check", f"pldap://{HOST}:{proxied.proxied}")
    by_host = (
        *("check_ldaphealth", "-H", HOST, "-p", str(proxied.proxied), "-b", SUFFIX),
        "--proxy-protocol",
    )
    for program_name, *arguments in (by_url, by_host):
        command = [str(Path(sys.executable).with_name(program_name)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
