"""One real slapd for these tests, and one that knows no TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.certificates import Authority
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import person
from ldaphealth.model import Tls

# Whom the tests with SASL EXTERNAL become: nobody else binds as these.
SOCKET_DN, CERTIFICATE_DN = person(1), person(2)
CLIENT_NAME = "agent.example"
PEER = f"gidNumber={os.getegid()}[+]uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
IDENTITIES = f"""\
add: olcAuthzRegexp
olcAuthzRegexp: {{0}}"^{PEER}$" "{SOCKET_DN}"
olcAuthzRegexp: {{1}}"^cn={CLIENT_NAME},.*$" "{CERTIFICATE_DN}"
-
replace: olcTLSVerifyClient
olcTLSVerifyClient: try"""


@pytest.fixture(scope="session")
def single_node() -> Iterator[Cluster]:
    """Return a cluster of one node with TLS, which maps identities of SASL EXTERNAL."""
    with Cluster(size=1, tls=True, ipv6=True) as cluster:
        cluster.nodes[0].root.modify("cn=config", IDENTITIES)
        yield cluster


@pytest.fixture
def node(single_node: Cluster) -> Node:
    """Return the node itself."""
    return single_node.nodes[0]


@pytest.fixture(scope="session")
def authority(single_node: Cluster) -> Authority:
    """Return who issued the node's certificate."""
    assert single_node.authority is not None
    return single_node.authority


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> Tls:
    """Return settings that trust the node's authority."""
    return Tls(ca_file=str(authority.file))


@pytest.fixture(scope="session")
def starting_tls(authority: Authority) -> Tls:
    """Return settings that trust the node's authority and start TLS."""
    return Tls(start_tls=True, ca_file=str(authority.file))


@pytest.fixture(scope="session")
def client_certificate(authority: Authority) -> tuple[str, str]:
    """Return the files of a certificate and its key that slapd maps to CERTIFICATE_DN."""
    issued = authority.issue("client", (), common_name=CLIENT_NAME)
    return str(issued.chain), str(issued.key)


@pytest.fixture(scope="session")
def node_without_tls() -> Iterator[Node]:
    """Return a node that has no certificate."""
    with Cluster(size=1) as cluster:
        yield cluster.nodes[0]


@pytest.fixture(scope="session")
def strangers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of an authority that has issued nothing here."""
    return Authority(tmp_path_factory.mktemp("strangers")).file
