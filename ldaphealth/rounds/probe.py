"""One probe of one server: a session with the checks of a round in order on it.

The agent runs it in rounds, the one-shot command in one thread per server. It never outlives its
deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from msgspec import Struct

from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)


def probe_server(
    server: Server,
    checks: Sequence[ConfiguredCheck],
    deadline: Deadline,
    accounts: Accounts | None = None,
) -> list[AnyObservation]:
    """Run the checks in order until the session ends, and return their observations.

    `accounts` limits how often a password is tried that was refused; probes of a process share it.

    If the session failed, the last observation has the failure. There are no observations of the
    checks that were not reached.
    """
    session = Session(server, deadline, accounts=accounts)
    observations: list[AnyObservation] = []
    try:
        for configured in checks:
            observation = _observe(session, configured)
            observations.append(observation)
            if observation.failure is not None and not session.alive:
                break
    finally:
        session.close()
    return observations


def _observe(session: Session, configured: ConfiguredCheck) -> AnyObservation:
    started = monotonic()
    facts, failure = None, None
    try:
        facts = _facts(session, configured)
    except SessionError as error:
        failure = error.failure
    except Exception as error:  # an error in a check states nothing about the server
        log.exception("check %s failed on %s", configured.check.name, session.server.id)
        detail = printable(f"the check itself failed: {type(error).__name__}: {error}")
        failure = Failure(FailureKind.BUG, detail, is_local=True)
    timings, session.timings = session.timings, {}
    return Observation(
        server=session.server.id,
        check=configured.check.name,
        started_at=started,
        duration_seconds=monotonic() - started,
        facts=facts,
        timings=timings,
        failure=failure,
    )


def _facts(session: Session, configured: ConfiguredCheck) -> Struct:
    """Return the facts of the check; TypeError if it is a survey, or returns anything else."""
    check = configured.check
    if check.observe is None:
        raise TypeError(f"{check.name} is a survey and cannot run in a round")
    facts: object = check.observe(session, configured.params_of(session.server))
    if not isinstance(facts, check.facts) or not isinstance(facts, Struct):
        raise TypeError(f"observe returned {type(facts).__name__}, not the facts of {check.name}")
    return facts
