"""What the check says of a login: each expectation that is not met, the account, and each step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import text
from msgspec.structs import replace

from ldaphealth.checks.login import CHECK, Params, _other_identity, judge
from ldaphealth.clocks import DAY_SECONDS
from ldaphealth.ldap.names import DN, AttributeName, is_same_dn
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, CheckEffect, Credentials, Finding, Secret
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import (
    CRITICAL,
    EXPECTATION,
    FINE,
    SOFT,
    TOLD,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

USER = "uid=monitor,ou=people,dc=x"
GROUP = "cn=staff,dc=x"
PARAMS = Params(
    filter=Filter("(uid=monitor)"),
    base=DN("ou=people,dc=x"),
    attributes=(AttributeName("mail"),),
    group=DN(GROUP),
)
WELL: dict[str, Any] = {"found": 1, "dn": USER, "membership": "member"}
QUICK = {"find": 0.001, "connect": 0.001, "bind": 0.002, "whoami": 0.001, "unbind": 0.0}
NOW = 1_800_000_000.0


def case(
    facts: Mapping[str, Any], *expected: Opinion, timings: Mapping[str, float] = QUICK
) -> Case:
    return Case(view(saw("login", facts, timings=timings)), PARAMS, expected)


def unmet(code: str) -> Opinion:
    return (code, CRITICAL, EXPECTATION)


EXPIRES = {"expires_epoch_seconds": NOW + 3 * DAY_SECONDS, "observed_epoch_seconds": NOW}
CASES = {
    "all is well": case(WELL, FINE),
    "nobody is found": case({"found": 0}, unmet("no_user"), FINE, timings={"find": 0.001}),
    "two are found": case({"found": 2}, unmet("several_users"), FINE, timings={"find": 0.001}),
    "another is found": case(
        {"found": 1, "dn": USER, "configured_dn": "uid=other,dc=x"},
        unmet("other_user"),
        FINE,
        timings={"find": 0.001},
    ),
    "the session is another's": case(WELL | {"identity": "dn:cn=x"}, unmet("identity"), FINE),
    "the session is anonymous": case(WELL | {"identity": ""}, unmet("identity"), FINE),
    "an attribute is hidden": case(WELL | {"unreadable": ["mail"]}, unmet("unreadable"), FINE),
    "no member": case(WELL | {"membership": "no_member"}, unmet("no_member"), FINE),
    "no group": case(WELL | {"membership": "no_group"}, unmet("no_group"), FINE),
    "two expectations": case(
        WELL | {"unreadable": ["mail"], "membership": "no_member"},
        unmet("unreadable"),
        unmet("no_member"),
        FINE,
    ),
    "the password expires": case(
        WELL | {"account": EXPIRES}, ("password_expires", WARNING, TOLD), FINE
    ),
    "grace logins left": case(
        WELL | {"account": {"grace_logins": 2}}, ("grace_logins", WARNING, TOLD), FINE
    ),
    "must change": case(
        {"found": 1, "dn": USER, "account": {"must_change": True}},
        ("must_change", CRITICAL, TOLD),
        FINE,
    ),
    "slow to find": case(WELL, ("slow", WARNING, SOFT), timings=QUICK | {"find": 0.6}),
    "slow to bind": case(WELL, ("slow", CRITICAL, SOFT), timings=QUICK | {"bind": 3.5}),
    "slow to connect": case(WELL, ("slow", WARNING, SOFT), timings=QUICK | {"connect": 1.5}),
    "slow to find and to bind": case(
        WELL,
        ("slow", WARNING, SOFT),
        ("slow", WARNING, SOFT),
        timings=QUICK | {"find": 0.6, "bind": 1.1},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_login_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def findings(facts: Mapping[str, Any], timings: dict[str, float] = QUICK) -> list[Finding]:
    """Return the findings of a check with a name and credentials of its own."""
    credentials = Credentials(BindMethod.SIMPLE, "", Secret("x"), password_file="/etc/monitor")
    configured = ConfiguredCheck(CHECK, PARAMS, CheckEffect.OUT, credentials=credentials)
    seen = view(saw("login", facts, timings=timings))
    named = replace(seen, check="webmail", observations=seen.observations, configured=configured)
    return [*judge(named, PARAMS)]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"found": 0}, ["(uid=monitor)", "ou=people,dc=x"], id="no user"),
        pytest.param({"found": 2}, ["(uid=monitor)", "several"], id="several users"),
        pytest.param(
            {"found": 1, "dn": USER, "configured_dn": "uid=a,dc=x"},
            [USER, "uid=a,dc=x"],
            id="another user",
        ),
        pytest.param(WELL | {"identity": ""}, [USER, "anonymous"], id="identity"),
        pytest.param(WELL | {"unreadable": ["cn", "mail"]}, [USER, "cn, mail"], id="unreadable"),
        pytest.param(
            WELL | {"membership": "no_member"}, [f"member: {USER}", GROUP], id="no member"
        ),
        pytest.param(WELL | {"membership": "no_group"}, [USER, GROUP], id="no group"),
        pytest.param(
            WELL | {"account": {"grace_logins": 2}},
            [USER, "/etc/monitor", "2 grace logins", "ldappasswd"],
            id="grace logins",
        ),
        pytest.param(WELL | {"account": EXPIRES}, [USER, "/etc/monitor", "in 3 d"], id="expires"),
    ],
)
def test_a_sentence_names_who_and_what(facts: Mapping[str, Any], words: list[str]) -> None:
    summary = findings(facts)[0].summary

    assert all(word in summary for word in words), summary
    assert "\n" not in summary


@pytest.mark.parametrize(
    ("slow", "words"),
    [
        ({"find": 0.6}, "webmail: to find the user took 0.600 s, more than 0.5 s"),
        ({"bind": 1.5}, "webmail: the bind as the user took 1.500 s, more than 1 s"),
        ({"whoami": 1.5}, "webmail: the rest, of which `whoami` was 1.500 s, took"),
    ],
)
def test_a_sentence_names_the_step_that_was_slow(slow: dict[str, float], words: str) -> None:
    (found,) = findings(WELL, QUICK | slow)

    assert words in found.summary


def test_the_metrics_have_the_name_of_the_check() -> None:
    found = findings(WELL | {"account": EXPIRES})

    assert [metric.name for each in found for metric in each.metrics] == [
        "webmail_password_days_left",
        "webmail_find_seconds",
        "webmail_bind_seconds",
        "webmail_rest_seconds",
    ]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (USER, "UID=Monitor, OU=People, DC=x", True),
        (USER, "uid=monitor,ou=people,dc=y", False),
        (USER, "ou=people,dc=x", False),
        (r"cn=a\2Cb,dc=x", r"cn=a\,b,dc=x", True),
        (r"cn=\C3\A9,dc=x", "cn=é,dc=x", True),
        ("cn=a b,dc=x", "cn=a  b,dc=x", True),
        ('cn="a,b",dc=x', r"cn=a\,b,dc=x", True),
        ("cn=a+uid=b,dc=x", "uid=b+cn=a,dc=x", True),
        ("cn=a+uid=b,dc=x", "cn=a,uid=b,dc=x", False),
        ("no DN", "no DN", False),
        ("EXAMPLE\\monitor", USER, False),
    ],
)
def test_dns_are_the_same_whatever_their_case_spaces_and_escapes(
    one: str, other: str, is_same: bool
) -> None:
    assert is_same_dn(one, other) is is_same


@given(text(min_size=1, max_size=20))
def test_a_dn_is_the_same_however_its_value_is_escaped(value: str) -> None:
    escaped = re.sub(r'([\\",+;<>=# ])', r"\\\1", value)
    in_hex = "".join(f"\\{octet:02x}" for octet in value.encode())

    assert is_same_dn(f"cn={escaped},dc=x", f"CN = {in_hex.upper()} , DC=X")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"filter": Filter("")}, "filter"),
        ({"member_attribute": AttributeName("")}, "member_attribute"),
        ({"member_value": "x", "group": DN("")}, "needs group"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        replace(PARAMS, **settings)


@pytest.mark.parametrize(
    ("identity", "other"),
    [
        (f"dn:{USER}", None),
        ("dn:UID=monitor,OU=people,DC=X", None),
        ("u:EXAMPLE\\monitor", None),
        ("", ""),
        ("dn:", "dn:"),
        ("dn:cn=x\x1b", r"dn:cn=x\x1b"),
    ],
)
def test_an_identity_is_compared_as_far_as_it_can_be(identity: str, other: str | None) -> None:
    assert _other_identity(identity, USER) == other
