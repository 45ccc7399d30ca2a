"""A login is tried once in a round, and what fails on its session is never hard."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.login import Params
from ldaphealth.ldap.names import AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, Credentials, Failure, FailureKind, Secret, Trust
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.workers import Workers
from tests.checks.seen import planned, saw, server
from tests.hostile.servers import silent
from tests.lateness import repeated_when_late
from tests.rounds.test_other_session import (
    BUSY,
    DEADLINE_SECONDS,
    INVALID_CREDENTIALS,
    FakeServer,
    checks,
    closing,
    failures,
    garbage,
    probed,
    search_as,
    serving,
)

# The fake server finds cn=x, whatever the filter is.
PARAMS = Params(filter=Filter("(cn=x)"), attributes=(AttributeName("cn"),))
USER = Credentials(BindMethod.SIMPLE, "", Secret("x"))
NO_ENTRY = Failure(FailureKind.RESULT, "noSuchObject", "noSuchObject", answered=True)


def login(name: str = "login", credentials: Credentials = USER) -> ConfiguredCheck:
    kind = BUILT_IN["login"]
    return ConfiguredCheck(kind, PARAMS, kind.effect, alias=name, credentials=credentials)


def test_the_user_is_found_on_the_session_of_the_server_and_logs_in_on_another() -> None:
    fake = FakeServer()
    seen = probed(fake, login())

    assert failures(seen) == {}
    assert fake.requests == [
        ["bind own", "search own", "search own", "unbind own"],
        ["bind x", "extended x", "search x", "unbind x"],
    ]


def test_two_logins_are_two_binds_and_none_after_a_refusal() -> None:
    fake = FakeServer()
    probed(fake, login("a"), login("b"))
    assert [each[0] for each in fake.requests] == ["bind own", "bind x", "bind x"]

    fake = FakeServer()
    fake.binds = {"x": INVALID_CREDENTIALS}
    seen = probed(fake, login("a"), login("b"))
    assert [*failures(seen)] == ["a", "b"]
    assert [each[0] for each in fake.requests] == ["bind own", "bind x"]


def test_another_dn_than_that_of_the_credentials_gets_no_password() -> None:
    fake = FakeServer()
    seen = probed(fake, login(credentials=replace(USER, dn="cn=another")))
    facts = seen["login"].facts

    assert facts is not None
    assert (facts.dn, facts.configured_dn) == ("cn=x", "cn=another")
    assert [each[0] for each in fake.requests] == ["bind own"]


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        pytest.param(
            {"binds": {"x": INVALID_CREDENTIALS}},
            ("invalidCredentials", Trust.EXPECTATION),
            id="refused",
        ),
        pytest.param({"binds": {"x": BUSY}}, ("other_session", Trust.SOFT), id="busy"),
        pytest.param({"searches": {"x": BUSY}}, ("other_session", Trust.SOFT), id="busy later"),
        pytest.param({"instead": {"x": closing}}, ("other_session", Trust.SOFT), id="closed"),
        pytest.param({"instead": {"x": garbage}}, ("other_session", Trust.SOFT), id="no LDAP"),
        pytest.param({"instead": {"x": silent}}, ("timeout", Trust.SOFT), id="silent"),
    ],
)
@repeated_when_late
def test_a_failure_of_its_session_is_never_hard_and_ends_no_other(
    prepare: dict[str, dict[str, object]], expected: tuple[str, Trust]
) -> None:
    fake = FakeServer()
    for name, of in prepare.items():
        setattr(fake, name, of)

    seen = probed(fake, login())

    assert failures(seen) == {"login": expected}
    assert seen["unbind"].failure is None
    assert "find" in seen["login"].timings


@pytest.mark.parametrize("code", [INVALID_CREDENTIALS, BUSY])
def test_a_login_that_failed_is_not_repeated_by_its_confirmation(code: int) -> None:
    fake = FakeServer()
    fake.binds = {"x": code}
    with serving(fake) as at:
        plan = RoundPlan(at, checks(login()), 2.0, 0.0)
        seen = run_round(plan, probe_server, Workers("second", 1))

    binds = [each[0] for each in fake.requests]
    assert (binds.count("bind own"), binds.count("bind x")) == (2, 1)
    assert [each.check for each in seen if each.failure is not None] == ["login"]


@repeated_when_late
def test_a_parallel_probe_does_not_log_in() -> None:
    fake = FakeServer()
    fake.instead = {"x": silent}
    with serving(fake) as at:
        plan = RoundPlan(at, checks(login()), DEADLINE_SECONDS, 0.0)
        run_round(plan, probe_server, Workers("second", 1))

    assert [each[0] for each in fake.requests].count("bind x") == 1


def test_a_confirmation_of_another_failure_logs_in_only_if_no_probe_did() -> None:
    plan = RoundPlan(server(), checks(login(), search_as("a")), 1.0, 0.0)
    failed = saw("search", failure=NO_ENTRY)

    tried = plan.confirming([saw("connect"), failed, saw("login", {"found": 0})])
    untried = plan.confirming([saw("connect"), failed])

    assert "login" not in {each.name for each in tried.checks}
    assert "a" in {each.name for each in tried.checks}
    assert "login" in {each.name for each in untried.checks}


def test_a_login_without_credentials_is_a_defect_and_no_finding_on_the_server() -> None:
    seen = probed(FakeServer(), planned("login", PARAMS))
    failure = seen["login"].failure

    assert failure is not None
    assert failure.is_local
