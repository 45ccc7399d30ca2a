"""A round that fails leaves no cycles of objects: what it holds is freed when it is over.

The agent searches for cycles seldom (agent/free_memory.py), and a session holds a password.
"""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path

import pytest

from demo import ports
from ldaphealth import checks
from ldaphealth.event_loop import EventLoop
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.model import BindMethod, Credentials, Secret, Server, Tls
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.settings import ConfiguredCheck
from tests.hostile import servers
from tests.hostile.servers import Authority, answering, message, result

ACCOUNT = Credentials(method=BindMethod.SIMPLE, dn="cn=a", password=Secret("secret"))
CHECKS = [
    ConfiguredCheck(check=found, params=found.params(), effect=found.effect)
    for found in map(checks.find, ("connect", "bind", "monitor", "session", "unbind"))
]
INVALID_CREDENTIALS = 49


def left_in_cycles(server: Server) -> list[str]:
    """Return the types of our objects that a failed round leaves in cycles."""
    calls = EventLoop("rounds")
    probe = partial(probe_server, accounts=Accounts())
    run = partial(run_round, RoundPlan(server, CHECKS, 0.5, 0.1), probe, calls)
    try:
        assert any(seen.failure for seen in calls.submit(run).result(10.0))  # loads modules
        gc.collect()
        gc.disable()
        calls.submit(run).result(10.0)
    finally:
        calls.shutdown()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return [
            type(each).__name__
            for each in gc.garbage
            if type(each).__module__.startswith("ldaphealth.")
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(servers.closing, id="closes"),
        pytest.param(servers.resetting, id="resets"),
        pytest.param(servers.silent, id="silent"),
        pytest.param(servers.garbage, id="no LDAP"),
        pytest.param(servers.endless, id="endless"),
        pytest.param(answering(message(7, result(1, 0))), id="the answer to another"),
        pytest.param(answering(message(1, result(1, INVALID_CREDENTIALS))), id="a wrong password"),
    ],
)
def test_a_server_that_fails(behave: servers.Behaviour) -> None:
    with servers.listening(behave) as port:
        uri = f"ldap://127.0.0.1:{port}"
        assert left_in_cycles(Server(cluster="c", name="s", uri=uri, credentials=ACCOUNT)) == []


def test_a_port_that_refuses() -> None:
    reserved = ports.reserve(1, ("127.0.0.1",))
    uri = f"ldap://127.0.0.1:{reserved.ports[0]}"

    assert left_in_cycles(Server(cluster="c", name="s", uri=uri, credentials=ACCOUNT)) == []

    reserved.release()


def test_a_name_that_does_not_exist() -> None:
    uri = "ldap://nobody.invalid"

    assert left_in_cycles(Server(cluster="c", name="s", uri=uri, credentials=ACCOUNT)) == []


@pytest.mark.parametrize("names", [("127.0.0.1",), ("other.test",)])
def test_tls_that_fails(names: tuple[str, ...], tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), tmp_path / "stranger"
    stranger.mkdir()
    tls = Tls(ca_file=Authority(stranger).ca_file if names == ("127.0.0.1",) else authority.ca_file)
    with servers.listening(servers.silent, authority.context(*names)) as port:
        uri = f"ldaps://127.0.0.1:{port}"
        server = Server(cluster="c", name="s", uri=uri, credentials=ACCOUNT, tls=tls)
        assert left_in_cycles(server) == []
