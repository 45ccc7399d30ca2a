"""The check `write` of two probes of one server at the same time."""

from __future__ import annotations

from typing import cast

import pytest

from demo.cluster import Cluster
from demo.node import Node
from ldaphealth.checks import write
from ldaphealth.checks.canary import TOKEN_ATTRIBUTE
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session
from ldaphealth.model import Server
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd

AGENT = "lb1"


class Overtaken(Session):
    """A session whose token is replaced before it is compared; `root` is a client of the server."""

    def __init__(self, server: Server, node: Node) -> None:
        super().__init__(server, Deadline.after(5.0))
        self._node = node

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        """Replace the token, then compare."""
        self._node.root.modify(dn, f"replace: {TOKEN_ATTRIBUTE}\n{TOKEN_ATTRIBUTE}: another one")
        return super().compare(dn, attribute, value)


def test_a_token_that_a_later_write_replaced_is_not_lost(cluster: Cluster) -> None:
    make_canaries(cluster, AGENT)
    configured = watched(cluster, agent=AGENT, checks=("write",))
    params = cast(write.Params, configured.checks[0].params)
    session = Overtaken(configured.servers[0], cluster.nodes[0])
    try:
        session.connect()
        session.bind()
        facts = write.observe(session, params)
    finally:
        session.close()

    assert facts.matched
