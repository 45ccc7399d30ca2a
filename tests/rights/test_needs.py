"""What each kind of check needs, as access rules of slapd and as ACIs of 389."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.checks import BUILT_IN
from ldaphealth.config import load_without_files
from ldaphealth.rights.aci import acis_for
from ldaphealth.rights.needs import NEEDS, rights
from ldaphealth.rights.right import Right, Schema
from ldaphealth.rights.slapd_rules import rules_for
from ldaphealth.settings import Cluster

DN = "cn=a,dc=x"
BY = f'by dn.exact="{DN}"'
CONFIG = """\
credentials: {{probe: {{{credentials}}}, user: {{dn: "uid=u,dc=x", password_env: P}}}}
clusters:
  c:
    suffix: dc=x
    credentials: probe
    servers: {{a: "ldap://192.0.2.1"}}
    checks: {{{checks}}}
"""
SIMPLE = f'dn: "{DN}", password_env: NOT_SET'
CONTEXT_CSN = (
    'to dn.base="dc=x" attrs=entry,contextCSN {by} read by * break',
    'to dn.base="cn=ldapsync,dc=x" attrs=entry,contextCSN {by} read by * break',
    'to dn.base="dc=x" attrs=objectClass {by} search by * break',
    'to dn.base="cn=ldapsync,dc=x" attrs=objectClass {by} search by * break',
)
TO_BIND = 'to dn.base="{dn}" attrs=userPassword by anonymous auth by * break'
CASES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "bind": ("bind", "bind: {}", (TO_BIND.format(dn=DN),)),
    "bind, a policy": (
        "bind",
        'bind: {password_policy: "cn=p,dc=x"}',
        (
            f'to dn.base="{DN}" attrs=entry,pwdChangedTime,pwdPolicySubentry {BY} read by * break',
            f'to dn.base="cn=p,dc=x" attrs=entry,pwdMaxAge {BY} read by * break',
            f'to dn.base="{DN}" attrs=objectClass {BY} search by * break',
            f'to dn.base="cn=p,dc=x" attrs=objectClass {BY} search by * break',
            TO_BIND.format(dn=DN),
        ),
    ),
    "search": (
        "search",
        "search: {}",
        (
            f'to dn.base="dc=x" attrs=entry {BY} read by * break',
            f'to dn.base="dc=x" attrs=objectClass {BY} search by * break',
        ),
    ),
    "search, a filter and a value": (
        "search",
        'search: {base: "ou=p,dc=x", scope: sub, filter: "(&(uid=a b)(!(cn=x)))", attribute: sn}',
        (
            (
                'to dn.subtree="ou=p,dc=x" filter="(&(uid=a b)(!(cn=x)))" attrs=entry '
                f"{BY} read by * break"
            ),
            f'to dn.base="ou=p,dc=x" attrs=entry {BY} search by * break',
            (
                'to dn.subtree="ou=p,dc=x" filter="(&(uid=a b)(!(cn=x)))" attrs=uid,cn,sn '
                f"{BY} search by * break"
            ),
        ),
    ),
    "search, a filter that slapd computes": (
        "search",
        'search: {base: "ou=p,dc=x", scope: one, filter: "memberOf=cn=g"}',
        (
            f'to dn.one="ou=p,dc=x" attrs=entry {BY} read by * break',
            f'to dn.base="ou=p,dc=x" attrs=entry {BY} search by * break',
            f'to dn.one="ou=p,dc=x" attrs=memberOf {BY} search by * break',
        ),
    ),
    "search, a DN with a quote and an escape": (
        "search",
        """search: {base: 'cn="a",o=b\\2Cc'}""",
        (
            f'to dn.base="cn=\\"a\\",o=b\\\\2Cc" attrs=entry {BY} read by * break',
            f'to dn.base="cn=\\"a\\",o=b\\\\2Cc" attrs=objectClass {BY} search by * break',
        ),
    ),
    "compare": (
        "compare",
        'compare: {dn: "cn=e,dc=x", attribute: mail, value: m}',
        (f'to dn.base="cn=e,dc=x" attrs=mail {BY} compare by * break',),
    ),
    "replication": (
        "replication",
        "replication: {}",
        (
            *(each.format(by=BY) for each in CONTEXT_CSN[:2]),
            f'to dn.subtree="cn=Databases,cn=Monitor" {BY} read by * break',
            *(each.format(by=BY) for each in CONTEXT_CSN[2:]),
        ),
    ),
    "login": (
        "login",
        'login: {filter: "(uid=u)", credentials: user, attributes: [cn], group: "cn=g,dc=x"}',
        (
            f'to dn.subtree="dc=x" filter="(uid=u)" attrs=entry {BY} read by * break',
            'to dn.base="uid=u,dc=x" attrs=entry,cn by dn.exact="uid=u,dc=x" read by * break',
            f'to dn.base="dc=x" attrs=entry {BY} search by * break',
            f'to dn.subtree="dc=x" filter="(uid=u)" attrs=uid {BY} search by * break',
            'to dn.base="uid=u,dc=x" attrs=objectClass by dn.exact="uid=u,dc=x" search by * break',
            'to dn.base="cn=g,dc=x" attrs=member by dn.exact="uid=u,dc=x" compare by * break',
            TO_BIND.format(dn="uid=u,dc=x"),
        ),
    ),
    "propagation": (
        "propagation",
        'propagation: {container: "ou=c,dc=x"}',
        (
            f'to dn.one="ou=c,dc=x" attrs=description {BY} write by * break',
            f'to dn.one="ou=c,dc=x" attrs=entry,ou,entryCSN {BY} read by * break',
            *(each.format(by=BY) for each in CONTEXT_CSN[:2]),
            f'to dn.base="ou=c,dc=x" attrs=entry {BY} search by * break',
            f'to dn.one="ou=c,dc=x" attrs=objectClass {BY} search by * break',
            *(each.format(by=BY) for each in CONTEXT_CSN[2:]),
        ),
    ),
    "monitor": (
        "monitor",
        "monitor: {}",
        (
            (
                'to dn.one="cn=Operations,cn=Monitor" attrs=entry,monitorOpCompleted,'
                f"monitorOpInitiated {BY} read by * break"
            ),
            f'to dn.base="cn=Operations,cn=Monitor" attrs=entry {BY} search by * break',
            f'to dn.one="cn=Operations,cn=Monitor" attrs=objectClass {BY} search by * break',
        ),
    ),
}


def configured(directory: Path, checks: str, credentials: str = SIMPLE) -> Cluster:
    path = directory / "c.yaml"
    path.write_text(CONFIG.format(checks=checks, credentials=credentials))
    return load_without_files(path).clusters["c"]


def needed(cluster: Cluster, name: str) -> list[Right]:
    (check,) = (each for each in cluster.checks if each.name == name)
    return rights(cluster, check)


@pytest.mark.parametrize("case", CASES)
def test_the_rules_of_one_check(case: str, tmp_path: Path) -> None:
    name, checks, expected = CASES[case]
    schemas = [Schema.PPOLICY] if "policy" in case else []

    assert rules_for(needed(configured(tmp_path, checks), name), schemas) == [*expected]


def test_without_a_suffix_there_is_no_rule_for_the_root_dse(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text('clusters: {c: {servers: {a: "ldap://192.0.2.1"}}}')
    cluster = load_without_files(path).clusters["c"]
    found = [rule for each in cluster.checks for rule in rules_for(rights(cluster, each))]

    assert not [each for each in found if 'dn.base=""' in each or ',"' in each]


def test_every_built_in_check_is_in_the_table() -> None:
    assert {*NEEDS} == {*BUILT_IN}


@pytest.mark.parametrize(
    ("credentials", "who"),
    [("method: anonymous", "anonymous"), (SIMPLE, f'dn.exact="{DN}"')],
)
def test_the_account_is_that_of_the_server(credentials: str, who: str, tmp_path: Path) -> None:
    found = rules_for(needed(configured(tmp_path, "search: {}", credentials), "search"))

    assert {each.partition(" by ")[2].partition(" ")[0].partition("=")[0] for each in found} == {
        who.partition("=")[0]
    }
    assert all(f" by {who} " in each for each in found)


def test_a_check_with_credentials_needs_the_rights_for_that_account(tmp_path: Path) -> None:
    found = needed(configured(tmp_path, "other: {check: search, credentials: user}"), "other")

    assert rules_for(found)[-1] == TO_BIND.format(dn="uid=u,dc=x")
    assert {each.account for each in found} == {"uid=u,dc=x", "anonymous"}


def test_an_aci_names_no_attribute_that_389_does_not_know(tmp_path: Path) -> None:
    checks = 'search: {filter: "(uid=u)", scope: one}, write: {container: "ou=c,dc=x"}'
    cluster = configured(tmp_path, checks)
    found = acis_for([*needed(cluster, "search"), *needed(cluster, "replication")])
    of_search = [each for each in found if 'target="ldap:///dc=x"' in each]

    below = "(&(uid=u)(!(entrydn=dc=x)))"
    assert of_search[:2] == [
        (
            '(target="ldap:///dc=x")(targetattr="objectClass")(targetfilter="(entrydn=dc=x)")'
            '(version 3.0; acl "ldaphealth: read"; '
            f'allow (read, search, compare) userdn="ldap:///{DN}";)'
        ),
        (
            f'(target="ldap:///dc=x")(targetattr="objectClass")(targetfilter="{below}")'
            '(version 3.0; acl "ldaphealth: read"; '
            f'allow (read, search, compare) userdn="ldap:///{DN}";)'
        ),
    ]
    assert not any("contextCSN" in each or "pwd" in each for each in found)
