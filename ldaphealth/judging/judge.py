"""Turn observations into findings: by the judge of each check, and by one judge for all failures.

Pure. The agent and the one-shot command call it after a probe. Checks do not handle errors: this
module judges them.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from ldaphealth.check import AnyView, NewBaseline
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.model import Failure, FailureKind, Finding, Metric, Server, State, Trust
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.text.duration import duration
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

log = logging.getLogger(__name__)

# With one of these no client has a usable LDAP service.
HARD_KINDS = frozenset(
    {FailureKind.CONNECT, FailureKind.TIMEOUT, FailureKind.TLS, FailureKind.PROTOCOL}
)
HARD_RESULT_CODES = frozenset({"busy", "unavailable"})
# These contradict an expectation, unless the result code is about time, load or the server itself.
EXPECTATION_KINDS = frozenset(
    {
        FailureKind.BIND,
        FailureKind.RESULT,
        FailureKind.CERTIFICATE,
        FailureKind.TLS_REFUSED,
        FailureKind.TOO_LARGE,
    }
)
STATE_RESULT_CODES = frozenset(
    {"timeLimitExceeded", "adminLimitExceeded", "operationsError", "loopDetect", "other"}
)

BIND = "bind"
STEPS = frozenset({"connect", BIND, "unbind"})  # of each session
MOST_NAMES = 3  # of checks in a sentence
SLACK_ROUNDS = 2  # after which a check that is due in some rounds only is overdue
AGED_SECONDS = 10.0  # what a survey saw before that is shown with its age


def judge(cluster: Cluster, recent: RecentObservations, *, one_shot: bool) -> list[Finding]:
    """Return the findings on every server with observations."""
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
    """Return the findings on one server, judged by the observations of the whole cluster.

    `only` names the checks to judge, by default all.
    """
    found: list[Finding] = []
    for configured in cluster.checks:
        if only is None or configured.name in only:
            view = _view(cluster, server, recent, configured, one_shot)
            if configured.every > 1 and _is_overdue(cluster, view, recent, configured):
                continue
            findings = _judge_one(cluster, view, configured)
            is_survey = configured.check.survey is not None
            found += _with_age(findings, view, recent, configured) if is_survey else findings
    return found


def _is_overdue(
    cluster: Cluster, view: AnyView, recent: RecentObservations, configured: ConfiguredCheck
) -> bool:
    """Return whether a check that does not run in each round should have run long ago."""
    if not view.own:
        return False
    longest_round = cluster.interval_seconds + cluster.deadline_seconds
    age = recent.age(view.server.id, view.latest)
    return age.seconds > (configured.every + SLACK_ROUNDS) * longest_round


def _view(
    cluster: Cluster,
    server: Server,
    recent: RecentObservations,
    configured: ConfiguredCheck,
    one_shot: bool,
) -> AnyView:
    """Return the view of a server, without those on which the check is not run."""
    servers = cluster.servers_of(configured)
    view = recent.view(server, configured.name, one_shot=one_shot, servers=servers)
    if configured.own_params or configured.credentials:
        view = replace(view, configured=configured)
    if configured.check.names_writers:
        view = replace(view, writers=partial(_writers, cluster, recent))
    if len(servers) == len(cluster.servers):
        return view
    run_on = {each.id for each in servers}  # a reload may have given a server another role
    return replace(
        view, observations={key: of for key, of in view.observations.items() if key in run_on}
    )


def _writers(cluster: Cluster, recent: RecentObservations) -> Mapping[int, str]:
    """Return the names of the servers that make changes, by server ID, as far as checks show it."""
    found: dict[int, str] = {}
    for each in cluster.checks:
        if each.check.writers is not None:
            seen = recent.view(cluster.servers[0], each.name, one_shot=False).observations
            found.update(each.check.writers(seen))
    return found


def _judge_one(cluster: Cluster, view: AnyView, configured: ConfiguredCheck) -> Iterable[Finding]:
    if not view.own:  # not in this probe, or the session had ended before
        return ()
    failure = view.latest.failure
    if failure is not None:
        is_refused = failure.kind is FailureKind.BIND and configured.name == BIND
        return (_failed(view, failure, _needing_bind(cluster, view.server) if is_refused else ()),)
    try:
        findings = configured.check.judge(view, configured.params_of(view.server))
        return tuple(_checked(view, each) for each in findings)
    except Exception as error:  # an error in a check of another package must remove no server
        log.exception("the judge of check %s failed", view.check)
        summary = printable(f"the check itself failed: {type(error).__name__}: {error}")
        return (view.finding(State.UNKNOWN, "bug", summary, trust=Trust.LOCAL),)


def new_baseline(
    cluster: Cluster,
    server: Server,
    recent: RecentObservations,
    configured: ConfiguredCheck,
    *,
    at_once: bool,
) -> NewBaseline[Any] | None:
    """Return what a check compares servers with from now on, None if that does not change.

    `server` is the one that was judged; with `at_once` any one of the cluster.
    """
    if configured.check.new_baseline is None:
        return None
    view = _view(cluster, server, recent, configured, one_shot=False)
    try:
        return configured.check.new_baseline(view, configured.params, at_once)
    except Exception:  # an error in a check of another package must not end the agent
        log.exception("check %s cannot make a new baseline", configured.name)
        return None


def _with_age(
    findings: Iterable[Finding], view: AnyView, recent: RecentObservations, planned: ConfiguredCheck
) -> Iterator[Finding]:
    """Yield the findings of a survey with the age of what was seen, and none if that is too old.

    It is too old when the result of the next survey is overdue, for as long again. After the server
    came back, when the next result is overdue: a survey of it is due soon.
    """
    if not view.own or view.latest.facts is None:
        yield from findings
        return
    age = recent.age(view.server.id, view.latest)
    valid_seconds = planned.params.interval_seconds + planned.params.deadline_seconds
    if age.seconds > valid_seconds * (1 if age.is_before_return else 2):
        return
    text = f"seen {duration(age.seconds)} ago"
    if age.is_before_return:
        text += ", before the server failed and came back"
    for each in findings:
        is_aged = age.is_before_return or age.seconds >= AGED_SECONDS
        yield replace(each, summary=f"{each.summary} ({text})") if is_aged else each


def _checked(view: AnyView, found: object) -> Finding:
    """Return the finding; TypeError or ValueError if it is not one of this server and check."""
    if not isinstance(found, Finding):
        raise TypeError(f"{type(found).__name__} is not a Finding")
    if (found.server, found.check) != (view.server.id, view.check):
        raise ValueError(f"a finding of {found.check} on {found.server}")
    return found


def trust(failure: Failure) -> Trust:
    """Return the trust of a failure; docs/verdicts.md has what each one means."""
    if failure.is_local:
        return Trust.LOCAL
    if failure.kind is FailureKind.TIMEOUT and failure.answered:
        return Trust.SOFT  # it answers, too slowly
    if failure.kind in HARD_KINDS or failure.result_code in HARD_RESULT_CODES:
        return Trust.HARD
    if failure.kind in EXPECTATION_KINDS and failure.result_code not in STATE_RESULT_CODES:
        return Trust.EXPECTATION
    return Trust.SOFT


def _failed(view: AnyView, failure: Failure, not_run: Sequence[str] = ()) -> Finding:
    """Return the finding on a failure; `not_run` are the checks that it kept from running."""
    trusted = trust(failure)
    state = State.UNKNOWN if trusted is Trust.LOCAL else State.CRITICAL
    metrics = tuple(_timings(view))
    summary = failure.detail
    if not_run:
        checks = f"{quantity(len(not_run), 'check')} not run without the bind"
        summary = f"{summary}; {checks}: {listed(not_run, MOST_NAMES)}"
    return view.finding(state, code(view.check, failure), summary, metrics, trusted)


def _needing_bind(cluster: Cluster, server: Server) -> Sequence[str]:
    """Return the checks that follow the bind in a session with that server."""
    return [each.name for each in cluster.round_checks_of(server) if each.check.name not in STEPS]


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
    """Return the checks, by server ID, that need a second look before they can be judged."""
    needed = {
        server.id: tuple(
            configured.name
            for configured in cluster.checks
            if _needs_second_look(
                recent.view(server, configured.name, one_shot=True, servers=cluster.servers),
                configured,
            )
        )
        for server in cluster.servers
    }
    return {server: checks for server, checks in needed.items() if checks}


def _needs_second_look(view: AnyView, configured: ConfiguredCheck) -> bool:
    second_look = configured.check.second_look
    if second_look is None or not view.own or view.latest.failure is not None:
        return False
    try:
        return second_look(view, configured.params_of(view.server))
    except Exception:  # an error in the check, as above
        log.exception("check %s failed", view.check)
        return False
