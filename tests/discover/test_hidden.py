"""What could not be seen: which right shows it, and the consumers that only a connection shows."""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.discover.hidden import find_hidden
from ldaphealth.discover.server_monitor import Waiting
from ldaphealth.discover.servers import Found, Unread
from ldaphealth.discover.syncrepl import Syncrepl
from ldaphealth.model import BindMethod, Credentials
from tests.discover.found import BASE, config, monitor, server

ACCOUNT = Credentials(BindMethod.SIMPLE, "cn=ldaphealth,dc=example,dc=com")
REPLICATOR, CLIENT = "cn=Replicator,dc=example,dc=com", "cn=app,dc=example,dc=com"


def test_a_host_that_waits_as_the_account_of_replication_is_probably_a_consumer() -> None:
    waiting = (
        Waiting(peer="192.0.2.2:50120", account=REPLICATOR),  # one that was found
        Waiting(peer="192.0.2.9:50121", account=REPLICATOR.lower()),
        Waiting(peer="192.0.2.8:50122", account=CLIENT),
    )
    provider = server("ldap://192.0.2.1", monitor=replace(monitor(), waiting=waiting))
    link = Syncrepl(providers=("ldap://192.0.2.1",), bind_dn=REPLICATOR)
    consumer = server("ldap://192.0.2.2", address="192.0.2.2:389", config=config(link))

    hidden = find_hidden(Found(servers=[provider, consumer]), [BASE], ACCOUNT)

    assert [each.what for each in hidden if "consumer" in each.what] == [
        "a consumer at 192.0.2.9, probably"
    ]


def test_the_rules_name_the_account() -> None:
    hidden = find_hidden(Found(servers=[server("ldap://a")]), [BASE], ACCOUNT)

    rules = [line for each in hidden for line in each.grants if line.startswith("olcAccess: ")]
    assert rules
    assert all('by dn.exact="cn=ldaphealth,dc=example,dc=com" read' in each for each in rules)


def test_a_server_that_was_not_read_says_why() -> None:
    gone = Unread("ldap://gone", "olcSyncrepl of ldap://a", "connection refused")

    hidden = find_hidden(Found(servers=[server("ldap://a")], unread=[gone]), [BASE], ACCOUNT)

    assert hidden[0].what == "ldap://gone"
    assert hidden[0].why == "olcSyncrepl of ldap://a; connection refused"
