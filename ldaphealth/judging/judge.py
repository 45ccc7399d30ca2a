"""From observations to findings: the judges of the checks, and one judge for all failures.

Pure; the one-shot command calls it after each look. No check handles errors: this file does.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator

from ldaphealth.check import AnyView
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.model import Failure, FailureKind, Finding, Metric, Server, State, Trust
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)

# Whoever meets one of these has no usable LDAP service, whatever he expected of the server.
HARD_KINDS = frozenset(
    {FailureKind.CONNECT, FailureKind.TIMEOUT, FailureKind.TLS, FailureKind.PROTOCOL}
)
HARD_RESULT_CODES = frozenset({"busy", "unavailable"})


def judge(cluster: Cluster, recent: RecentObservations, *, one_shot: bool) -> list[Finding]:
    """Return the findings on every server of which something was seen."""
    return [
        finding
        for server in cluster.servers
        for finding in judge_server(cluster, server, recent, one_shot=one_shot)
    ]


def judge_server(
    cluster: Cluster,
    server: Server,
    recent: RecentObservations,
    *,
    one_shot: bool,
    only: Container[str] | None = None,
) -> list[Finding]:
    """Return the findings on one server, among what was seen of the whole cluster.

    `only` names the checks to judge, by default all.
    """
    return [
        finding
        for planned in cluster.checks
        if only is None or planned.check.name in only
        for finding in _judge_one(
            recent.view(server, planned.check.name, one_shot=one_shot), planned
        )
    ]


def _judge_one(view: AnyView, planned: ConfiguredCheck) -> Iterable[Finding]:
    if not view.own:  # not planned for this look, or the session had ended before
        return ()
    if view.latest.failure is not None:
        return (_failed(view, view.latest.failure),)
    try:
        return tuple(_checked(view, each) for each in planned.check.judge(view, planned.params))
    except Exception as error:  # a third party's mistake must not decide about a server
        log.exception("the judge of check %s failed", view.check)
        summary = printable(f"the check itself failed: {type(error).__name__}: {error}")
        return (view.finding(State.UNKNOWN, "bug", summary, trust=Trust.LOCAL),)


def _checked(view: AnyView, found: object) -> Finding:
    """Refuse what is no opinion on the server and the check that were asked about."""
    if not isinstance(found, Finding):
        raise TypeError(f"{type(found).__name__} is no Finding")
    if (found.server, found.check) != (view.server.id, view.check):
        raise ValueError(f"a finding of {found.check} on {found.server}")
    return found


def trust(failure: Failure) -> Trust:
    """Tell whether a failure means no service (hard), a broken expectation (soft), or ourselves."""
    if failure.is_local:
        return Trust.LOCAL
    if failure.kind in HARD_KINDS or failure.result_code in HARD_RESULT_CODES:
        return Trust.HARD
    return Trust.SOFT


def _failed(view: AnyView, failure: Failure) -> Finding:
    believed = trust(failure)
    state = State.UNKNOWN if believed is Trust.LOCAL else State.CRITICAL
    metrics = tuple(_timings(view))
    return view.finding(state, code(view.check, failure), failure.detail, metrics, believed)


def _timings(view: AnyView) -> Iterator[Metric]:
    for operation, seconds in view.latest.timings.items():
        yield Metric(f"{operation}_seconds", seconds)


def code(check: str, failure: Failure) -> str:
    """Return the stable code of a failure: the result code's name in RFC 4511, or the kind."""
    if failure.kind in (FailureKind.BIND, FailureKind.RESULT) and failure.result_code:
        return failure.result_code
    if failure.kind is FailureKind.CONNECT and check != "connect":
        return "disconnected"
    return failure.kind.value


def second_look(cluster: Cluster, recent: RecentObservations) -> dict[str, tuple[str, ...]]:
    """Return which checks of which servers (by ID) cannot be judged yet after a first look."""
    wanted = {
        server.id: tuple(
            planned.check.name
            for planned in cluster.checks
            if _wants_more(recent.view(server, planned.check.name, one_shot=True), planned)
        )
        for server in cluster.servers
    }
    return {server: checks for server, checks in wanted.items() if checks}


def _wants_more(view: AnyView, planned: ConfiguredCheck) -> bool:
    second_look = planned.check.second_look
    if second_look is None or not view.own or view.latest.failure is not None:
        return False
    try:
        return second_look(view, planned.params)
    except Exception:  # as above; the judge will say it
        log.exception("check %s failed", view.check)
        return False
