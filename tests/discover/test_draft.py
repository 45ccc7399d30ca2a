"""The configuration as data: names, naming contexts, TLS, and which servers a check is run on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.discover.draft import (
    Draft,
    domain_of,
    main_contexts,
    make_draft,
    server_names,
)
from ldaphealth.discover.hidden import CONFIG_ATTRIBUTES, find_hidden
from ldaphealth.discover.roles import FoundRole
from ldaphealth.discover.secure_session import ServerAccess
from ldaphealth.discover.server_facts import Context
from ldaphealth.discover.servers import Found, FoundServer
from ldaphealth.discover.trial import load_draft
from ldaphealth.model import Credentials, Role, Tls
from tests.discover.found import BASE, CSN, facts, server

KNOWN = FoundRole(evidence="shown")
OTHER = "dc=other"


def drafted(*servers: FoundServer, roles: tuple[FoundRole, ...] = ()) -> Draft:
    contexts = main_contexts([each.facts for each in servers])
    access = ServerAccess(cluster="c")
    return make_draft("c", servers, roles or (KNOWN,) * len(servers), contexts, access)


@pytest.mark.parametrize(
    ("uris", "names"),
    [
        (["ldap://ldap1.example.com", "ldaps://ldap2.example.com"], ["ldap1", "ldap2"]),
        (["ldap://ldap.a.example", "ldap://ldap.b.example"], ["ldap.a.example", "ldap.b.example"]),
        (["ldap://192.0.2.1", "ldap://192.0.2.2"], ["192.0.2.1", "192.0.2.2"]),
        (["ldap://127.0.0.1:1", "ldap://127.0.0.1:2"], ["127.0.0.1-1", "127.0.0.1-2"]),
        (["ldap://[2001:db8::1]"], ["2001-db8-1"]),
        (["ldapi://%2Frun%2Fslapd%2Fldapi"], ["run-slapd-ldapi"]),
    ],
)
def test_names_of_servers(uris: list[str], names: list[str]) -> None:
    assert server_names(uris) == names


@given(
    st.lists(st.from_regex(r"ldap://[a-z0-9._~-]{1,80}", fullmatch=True), min_size=1, unique=True)
)
def test_any_servers_make_a_configuration_that_loads(uris: list[str]) -> None:
    try:
        servers = [server(each) for each in uris]
        server_names(uris)
    except ValueError:  # not an LDAP URL
        return

    assert len(load_draft(drafted(*servers)).servers) == len(uris)


@pytest.mark.parametrize(
    ("base", "domain"),
    [("dc=Example,dc=com", "example.com"), ("o=x", ""), ("ou=a,dc=b", ""), ("", "")],
)
def test_the_domain_of_a_naming_context(base: str, domain: str) -> None:
    assert domain_of(base) == domain


def test_the_context_with_contextcsn_is_the_suffix_and_a_log_is_none() -> None:
    contexts = (
        Context(dn="cn=accesslog"),
        Context(dn=OTHER),
        Context(dn=BASE, context_csn=(CSN,)),
    )

    assert main_contexts([facts("ldap://a", contexts=contexts)]) == (BASE, OTHER)


def test_a_context_that_some_servers_hold_is_searched_on_these() -> None:
    both = (Context(dn=BASE, context_csn=(CSN,)), Context(dn=OTHER, context_csn=(CSN,)))
    draft = drafted(server("ldap://a", contexts=both), server("ldap://b"))

    cluster = load_draft(draft)

    assert draft.checks["search_2"] == {"check": "search", "base": OTHER, "only": ["a"]}
    assert draft.checks["replication"] == {"bases": [BASE, OTHER]}
    assert cluster.servers[1].bases == (BASE,)


def test_roles_and_polls_are_settings_with_their_evidence() -> None:
    polls = FoundRole(
        role=Role.CONSUMER, evidence="shown", poll_interval_seconds=300.0, polls_by="refreshOnly"
    )
    unknown = FoundRole(evidence="nothing", is_known=False)
    draft = drafted(server("ldap://a"), server("ldap://b"), roles=(unknown, polls))

    assert draft.data["clusters"]["c"]["servers"] == {
        "a": "ldap://a",
        "b": {"uri": "ldap://b", "role": "consumer", "poll_interval_seconds": 300.0},
    }
    place = ("clusters", "c", "servers")
    assert "role: not known, so provider is assumed: nothing" in draft.comments[*place, "a"]
    assert "it polls, by refreshOnly" in draft.comments[*place, "b"]


def test_a_server_with_other_tls_has_its_own() -> None:
    start_tls = Tls(start_tls=True)
    draft = drafted(
        server("ldap://a", tls=start_tls),
        server("ldap://b", tls=start_tls),
        server("ldaps://c"),
        server("ldap://d", tls=Tls(start_tls=False)),
    )

    entry = draft.data["clusters"]["c"]
    assert entry["tls"] == {"start_tls": True}
    assert entry["servers"]["c"] == {"uri": "ldaps://c", "tls": {}}
    assert entry["servers"]["d"]["tls"] == {"start_tls": False}


def test_what_is_hidden_names_the_right() -> None:
    bare = server("ldap://a", contexts=(Context(dn=BASE, refused_by="noSuchObject"),))

    hidden = find_hidden(Found(servers=[bare]), [BASE], Credentials())
    attributes = f"entry,{CONFIG_ATTRIBUTES}"

    assert [each.grants[0].partition(" by ")[0] for each in hidden] == [
        f'olcAccess: to dn.base="{BASE}"',
        'olcAccess: to dn.subtree="cn=Monitor"',
        f'olcAccess: to dn.subtree="cn=config" attrs={attributes}',
    ]
