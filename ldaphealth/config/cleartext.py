"""Passwords that go to servers in the clear although the configuration does not state that wish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import BindMethod, Credentials, Server
from ldaphealth.settings import Cluster
from ldaphealth.text.listed import listed

MOST_NAMES = 5  # of servers in a sentence
REMEDY = (
    "set `tls: {start_tls: true}`, or an ldaps:// URI; `start_tls: false` states that it is wanted"
)


def passwords_in_clear(clusters: Iterable[Cluster], remedy: str = REMEDY) -> Iterator[str]:
    """Yield a sentence for each cluster with servers that get a password in the clear.

    That is a simple bind without TLS to another host (RFC 4513 6.3.3). A person who reads the
    network traffic can then log in with it.
    """
    for cluster in clusters:
        if what := password_in_clear(cluster):
            yield f"{cluster.name}: {what}: {remedy}"


def password_in_clear(cluster: Cluster) -> str:
    """Return to which servers of a cluster a password goes in the clear, "" if to none."""
    names = [each.name for each in cluster.servers if _gets_password_in_clear(cluster, each)]
    return f"a password goes to {listed(names, MOST_NAMES)} in the clear" if names else ""


def _gets_password_in_clear(cluster: Cluster, server: Server) -> bool:
    endpoint = parse_uri(server.uri)
    if endpoint.is_tls or endpoint.is_loopback or server.tls.start_tls is not None:
        return False
    accounts = [each.credentials for each in cluster.checks if each.runs_on(server)]
    return any(map(_has_password, (server.credentials, *accounts)))


def _has_password(credentials: Credentials | None) -> bool:
    return credentials is not None and credentials.method is BindMethod.SIMPLE
