"""A port that speaks the other kind of LDAP is named, and no other failure is."""

from __future__ import annotations

import pytest

from demo.node import Node
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.other_protocol import with_other_protocol
from ldaphealth.model import Server, Tls
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.hostile.servers import closing, listening, resetting

CHECKS = [
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), BUILT_IN[name].effect)
    for name in ("connect", "bind", "search", "unbind")
]
LDAPS, PLAIN = "this port speaks LDAPS: write ldaps://", "write ldap:// in the URI, with StartTLS"
OTHER_SCHEME = {"ldap": "ldaps", "ldaps": "ldap"}


def sentence(uri: str, tls: Tls = Tls(), seconds: float = 5.0) -> str:  # noqa: B008  frozen
    """Return the sentence of the failure of a probe."""
    server, deadline = Server(cluster="c", name="s", uri=uri, tls=tls), Deadline.after(seconds)
    seen = with_other_protocol(server, probe_server(server, CHECKS, deadline), deadline)
    failure = seen[-1].failure
    return failure.detail if failure else ""


@pytest.mark.slapd
def test_ldap_at_a_port_of_ldaps(node: Node) -> None:
    assert node.ldaps_uri
    uri = node.ldaps_uri.replace("ldaps:", "ldap:")

    assert LDAPS in sentence(uri)
    assert LDAPS in sentence(uri, Tls(start_tls=True))


@pytest.mark.slapd
def test_ldaps_at_a_port_without_tls(node: Node, trusting: Tls) -> None:
    assert PLAIN in sentence(node.uri.replace("ldap:", "ldaps:"), trusting)


@pytest.mark.slapd
def test_the_right_scheme_and_a_stopped_server_have_no_such_sentence(
    node: Node, trusting: Tls
) -> None:
    assert node.ldaps_uri
    assert not sentence(node.uri)
    assert not sentence(node.ldaps_uri, trusting)
    with listening(closing) as port:  # a port that was listened on
        pass
    assert "in the URI" not in sentence(f"ldap://127.0.0.1:{port}")


@pytest.mark.parametrize("behave", [closing, resetting])
def test_a_server_that_closes_without_tls_is_not_accused(behave: object) -> None:
    with listening(behave) as port:  # type: ignore[arg-type]
        assert "in the URI" not in sentence(f"ldap://127.0.0.1:{port}")


def test_a_probe_without_observations_has_no_failure() -> None:
    server = Server(cluster="c", name="s", uri="ldap://127.0.0.1")

    assert with_other_protocol(server, [], Deadline.after(1)) == []
