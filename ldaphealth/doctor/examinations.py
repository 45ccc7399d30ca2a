"""The table of examinations, in the order of importance, and what all of them find."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from ldaphealth.doctor.by_code import by_codes, by_other_codes
from ldaphealth.doctor.canaries import CODES as OF_CANARIES
from ldaphealth.doctor.canaries import examine_canaries, examine_other_balancers
from ldaphealth.doctor.clocks import examine_clocks
from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.keepalived import examine_keepalived
from ldaphealth.doctor.monitor import examine_monitor
from ldaphealth.doctor.passwords import examine_clear_text
from ldaphealth.doctor.problem import Examined, Importance, Problem
from ldaphealth.doctor.this_host import examine_agent, examine_files
from ldaphealth.doctor.thresholds import OF_TIME, examine_thresholds
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import Server

REACH = (
    "connect",
    "disconnected",
    "timeout",
    "protocol",
    "resolve",
    "busy",
    "unavailable",
    "other_session",
)
TLS = (
    "tls",
    "tls_refused",
    "certificate",
    "confidentialityRequired",
    "strongerAuthRequired",
)
ACCOUNT = (
    "invalidCredentials",
    "inappropriateAuthentication",
    "must_change",
    "grace_logins",
    "password_expires",
)
RIGHTS = (
    "noSuchObject",
    "insufficientAccessRights",
    "no_csn",
    "value",
    "limited",
    "sizeLimitExceeded",
    "adminLimitExceeded",
    "not_searchable",
    "unreadable",
    "no_user",
    "no_group",
    "no_log",
    "not_compared",
    "not_done",
)
CERTIFICATES = ("expires", "client_expires")
MONITOR = ("no_access",)
ELSEWHERE = (
    *REACH,
    *TLS,
    *ACCOUNT,
    *RIGHTS,
    *CERTIFICATES,
    *MONITOR,
    *OF_CANARIES,
    *OF_TIME,
)


class Examination(Struct, frozen=True, kw_only=True):
    """One thing that is examined: its name, a title, and what it means if it finds something.

    `importance` is that of its worst problem.
    """

    name: str
    title: str
    importance: Importance
    examine: Callable[[Gathered], Examined]
    means: str


class ExaminationResult(Struct, frozen=True):
    """One examination with what it found, the most important problems first."""

    examination: Examination
    examined: Examined


def _uses_tls(_: ClusterFacts, server: Server) -> bool:
    return parse_uri(server.uri).is_tls or bool(server.tls.start_tls)


def _examine_others(facts: Gathered) -> Examined:
    """Return the findings of no other examination, and which surveys were not run."""
    examined = by_other_codes(*ELSEWHERE)(facts)
    left_out = [
        f"{name} was not run: {why}"
        for each in facts.clusters
        for name, why in each.not_surveyed.items()
    ]
    return Examined(examined.problems, "; ".join([examined.covered, *left_out]))


EXAMINATIONS: tuple[Examination, ...] = (
    Examination(
        name="reach",
        title="Reach",
        importance=Importance.BREAKS,
        examine=by_codes(*REACH),
        means="a server cannot be reached, refuses the connection, or does not answer in time",
    ),
    Examination(
        name="tls",
        title="TLS",
        importance=Importance.BREAKS,
        examine=by_codes(*TLS, applies=_uses_tls),
        means="TLS is refused by this host or by the server",
    ),
    Examination(
        name="account",
        title="Account",
        importance=Importance.BREAKS,
        examine=by_codes(*ACCOUNT),
        means="a server refuses the account or its password, or will soon",
    ),
    Examination(
        name="rights",
        title="Rights",
        importance=Importance.BREAKS,
        examine=by_codes(*RIGHTS),
        means="the account lacks a right that the configured checks need, or an entry is missing",
    ),
    Examination(
        name="canaries",
        title="Canaries",
        importance=Importance.BREAKS,
        examine=examine_canaries,
        means="an entry that the checks write to is missing, or is not that of this agent",
    ),
    Examination(
        name="monitor",
        title="Monitor",
        importance=Importance.BREAKS,
        examine=examine_monitor,
        means="cn=Monitor is missing or hidden, so the checks of resources and links see nothing",
    ),
    Examination(
        name="keepalived",
        title="keepalived",
        importance=Importance.BREAKS,
        examine=examine_keepalived,
        means="keepalived ends the script before it answers, or misreads its exit status",
    ),
    Examination(
        name="agent",
        title="Agent",
        importance=Importance.BREAKS,
        examine=examine_agent,
        means="no agent runs with this configuration, or two use one directory",
    ),
    Examination(
        name="files",
        title="Files",
        importance=Importance.BREAKS,
        examine=examine_files,
        means="others can change or read a file of the agent, or its owner is another user",
    ),
    Examination(
        name="findings",
        title="Findings",
        importance=Importance.BREAKS,
        examine=_examine_others,
        means="the checks work, and find something wrong with a server",
    ),
    Examination(
        name="clocks",
        title="Clocks",
        importance=Importance.BREAKS,
        examine=examine_clocks,
        means="the clock of a server or of this host is wrong",
    ),
    Examination(
        name="thresholds",
        title="Thresholds",
        importance=Importance.BREAKS,
        examine=examine_thresholds,
        means="the times that are usual here exceed a threshold, or come near to the deadline",
    ),
    Examination(
        name="cleartext",
        title="Clear text",
        importance=Importance.MEND,
        examine=examine_clear_text,
        means="a password goes over the network in the clear",
    ),
    Examination(
        name="certificates",
        title="Certificates",
        importance=Importance.BREAKS,
        examine=by_codes(*CERTIFICATES, applies=_uses_tls),
        means="a certificate expires soon",
    ),
    Examination(
        name="balancers",
        title="Other balancers",
        importance=Importance.MEND,
        examine=examine_other_balancers,
        means="another balancer lacks canaries",
    ),
)


def examine(
    facts: Gathered, examinations: Sequence[Examination] = EXAMINATIONS
) -> list[ExaminationResult]:
    """Return the result of each examination, in the order of the table."""
    return [ExaminationResult(each, each.examine(facts)) for each in examinations]


def problems_in_order(results: Sequence[ExaminationResult]) -> list[Problem]:
    """Return all problems: what breaks checks first, then in the order of the table."""
    found = [problem for each in results for problem in each.examined.problems]
    return sorted(found, key=lambda each: -each.importance.value)


def status_of(problems: Sequence[Problem]) -> int:
    """Return that of the most important problem, 0 without one."""
    return max((each.importance.value for each in problems), default=0)
