"""One probe of one server: a session with the checks of a round in order on it.

The agent runs it in rounds, the one-shot command in one thread per server. It never outlives its
deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from math import inf
from time import monotonic

from msgspec import Struct

from ldaphealth import waiting
from ldaphealth.clocks import whole_microseconds
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import NO_TIMES, AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.rounds.other_session import OtherLogin, OtherSession, never_hard
from ldaphealth.rounds.session_plans import SessionPlans
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)


def probe_server(
    server: Server,
    checks: Sequence[ConfiguredCheck],
    deadline: Deadline,
    accounts: Accounts | None = None,
    plans: SessionPlans | None = None,
) -> list[AnyObservation]:
    """Run the checks in order until the session ends, and return their observations.

    `accounts` limits how often a password is tried that was refused; probes of a process share it,
    and `plans`, what was planned for the sessions before.

    If the session failed, the last observation has the failure. There are no observations of the
    checks that were not reached. Checks with credentials of their own run on another session, whose
    failure ends only that (other_session.py).
    """
    session = Session(server, deadline, accounts=accounts)
    session.plan((plans or SessionPlans()).flights(server, checks))
    other = OtherSession(session)
    observations: list[AnyObservation] = []
    try:
        for configured in checks:
            observation = _observe(session, other, configured)
            observations.append(observation)
            if observation.failure is not None and not session.alive:
                break
    finally:
        other.close()
        session.close()
    return observations


def _observe(own: Session, other: OtherSession, configured: ConfiguredCheck) -> AnyObservation:
    started = whole_microseconds(monotonic())
    facts, failure, session = None, None, own
    credentials = configured.credentials_on(own.server)
    try:
        session = other.session_as(credentials)
        facts = _facts(session, other, configured)
    except SessionError as error:
        failure = error.failure if credentials is None else never_hard(error.failure)
    except waiting.NoThreadError as error:
        detail = f"{error}: checks of other packages, which may block, have all of them"
        failure = Failure(FailureKind.BUG, detail, is_local=True)
    except Exception as error:  # an error in a check states nothing about the server
        log.exception("check %s failed on %s", configured.name, own.server.id)
        detail = printable(f"the check itself failed: {type(error).__name__}: {error}")
        failure = Failure(FailureKind.BUG, detail, is_local=True)
    timings, session.timings = session.timings, {}
    if failure is None:  # facts may be as old as their flight, which another check may have sent
        started = min(started, own.flight_began)
    own.flight_began = inf
    return Observation(
        server=own.server.id,
        check=configured.name,
        started_at=started,
        duration_seconds=whole_microseconds(monotonic() - started),
        facts=facts,
        timings=timings or NO_TIMES,
        failure=failure,
    )


def _facts(session: Session, other: OtherSession, configured: ConfiguredCheck) -> Struct:
    """Return the facts of the check; TypeError if its observe returns anything else."""
    check, totals = configured.check, session.totals
    if configured.is_occasional:  # totals are compared with those of sessions without it
        session.totals = dict(totals)
    try:
        if check.may_block:  # an event loop must go on meanwhile
            deadline = session.deadline
            left = max(0.0, deadline.at - deadline.now())
            facts = waiting.call_in_thread(partial(_observed, session, other, configured), left)
        else:
            facts = _observed(session, other, configured)
    finally:
        session.totals = totals
    if not isinstance(facts, check.facts) or not isinstance(facts, Struct):
        raise TypeError(f"observe returned {type(facts).__name__}, not the facts of {check.name}")
    return facts


def _observed(session: Session, other: OtherSession, configured: ConfiguredCheck) -> object:
    """Return what the check returns; TypeError if it cannot run in a round."""
    check, params = configured.check, configured.params_of(session.server)
    if check.observe is not None:
        return check.observe(session, params)
    if check.observe_as is None or configured.credentials is None:
        raise TypeError(f"{check.name} cannot run in a round: it is a survey, or lacks credentials")
    return check.observe_as(session, OtherLogin(other, configured.credentials), params)
