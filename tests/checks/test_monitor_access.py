"""Without a monitor database nothing is wrong; without the right to it the setting is named."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.check import AnyCheck
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.monitor_access import (
    MonitorAccess,
    no_monitor_finding,
    search_monitor,
)
from ldaphealth.ldap.codec import Entry
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import (
    AnyObservation,
    Failure,
    FailureKind,
    Finding,
    Observation,
    Server,
    State,
    Trust,
)
from tests.checks.seen import saw, server, view

SERVER = Server(cluster="c", name="s", uri="ldap://127.0.0.1")
WITH_MONITOR: Entry = ("", {"monitorcontext": ("cn=Monitor",)})
WITHOUT_MONITOR: Entry = ("", {})


class Answering(Session):
    """Answers the search below cn=Monitor with a result code, and the root DSE with an entry."""

    def __init__(self, result_code: str, root: Entry, kind: FailureKind) -> None:
        super().__init__(SERVER, Deadline.after(60.0))
        self.failure = Failure(kind, "a sentence", result_code)
        self.root = root
        self.requested: list[str] = []

    def search(self, base: str, *_: object, **__: object) -> tuple[Entry, ...]:
        """Answer as slapd does."""
        self.requested.append(base)
        if base == "":
            return (self.root,)
        if self.failure.result_code == "success":
            return ()
        raise SessionError(self.failure)


@pytest.mark.parametrize(
    ("result_code", "root", "expected"),
    [
        pytest.param("noSuchObject", WITHOUT_MONITOR, "none", id="slapd without a monitor"),
        pytest.param("noSuchObject", WITH_MONITOR, "denied", id="slapd hides it"),
        pytest.param("insufficientAccessRights", WITH_MONITOR, "denied", id="no right to it"),
        pytest.param("referral", WITHOUT_MONITOR, "none", id="another naming context"),
        pytest.param("operationsError", WITHOUT_MONITOR, "none", id="anonymous there"),
        pytest.param("success", WITHOUT_MONITOR, "none", id="a monitor of another kind"),
        pytest.param("success", WITH_MONITOR, "denied", id="slapd hides its entries"),
    ],
)
def test_the_root_dse_tells_why_there_is_nothing(
    result_code: str, root: Entry, expected: MonitorAccess
) -> None:
    session = Answering(result_code, root, FailureKind.RESULT)

    assert search_monitor(session, "cn=Monitor", "sub", "(a=b)", ()) == (expected, ())


@pytest.mark.parametrize(
    ("result_code", "kind", "root"),
    [
        pytest.param("busy", FailureKind.RESULT, WITHOUT_MONITOR, id="no service"),
        pytest.param("", FailureKind.TIMEOUT, WITHOUT_MONITOR, id="no answer"),
        pytest.param("timeLimitExceeded", FailureKind.RESULT, WITH_MONITOR, id="it took too long"),
    ],
)
def test_another_failure_stays_one(result_code: str, kind: FailureKind, root: Entry) -> None:
    with pytest.raises(SessionError):
        search_monitor(Answering(result_code, root, kind), "cn=Monitor", "sub", "(a=b)", ())


def findings(check: AnyCheck, session: Session) -> list[Finding]:
    """Return the findings of a check on what it observes in a session."""
    assert check.observe is not None
    facts = check.observe(session, check.params())
    seen: AnyObservation = Observation(
        server="c/s0", check=check.name, started_at=0.0, duration_seconds=0.0, facts=facts
    )
    return [*check.judge(view(seen), check.params())]


@pytest.mark.parametrize("name", ["monitor", "resources", "counters", "consumer", "entry_count"])
@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (WITHOUT_MONITOR, ("not_applicable", State.OK, Trust.SOFT)),
        (WITH_MONITOR, ("no_access", State.UNKNOWN, Trust.LOCAL)),
    ],
    ids=["none", "denied"],
)
def test_each_check_of_the_monitor_reports_it(
    name: str, root: Entry, expected: tuple[str, State, Trust]
) -> None:
    [found] = findings(BUILT_IN[name], Answering("noSuchObject", root, FailureKind.RESULT))

    assert (found.code, found.state, found.trust) == expected


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (WITHOUT_MONITOR, ["cn=Monitor", ""]),
        (WITH_MONITOR, ["cn=Monitor", "", "cn=Monitor", "cn=Monitor"]),
    ],
    ids=["none", "denied"],
)
def test_the_root_dse_is_read_once_in_a_session(root: Entry, expected: list[str]) -> None:
    session = Answering("noSuchObject", root, FailureKind.RESULT)
    for name in ("a", "b", "c", "c"):  # the same search is done once as well
        search_monitor(session, "cn=Monitor", "sub", f"({name}=b)", ())

    assert session.requested == expected


def test_the_right_to_add_is_shown_once_in_a_cluster() -> None:
    seen = [saw("monitor", {"access": "denied"}, of=name) for name in ("s0", "s1", "s2")]
    servers = tuple(map(server, ("s0", "s1", "s2")))
    sentences = [
        no_monitor_finding(replace(view(*seen, of=each.name), servers=servers), "denied").summary
        for each in servers
    ]

    assert "`ldaphealth setup" in sentences[0]
    assert sentences[1:] == ["cn=Monitor cannot be read, as on s0"] * 2
