"""One look at one server: a session as a client has it, with the checks in order on it.

The one-shot command runs this in one thread per server; nothing here outlives the deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from msgspec import Struct

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)


def probe_server(
    server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
) -> list[AnyObservation]:
    """Run the checks in order; stop where the session ends. The failure that ended it is the last.

    What was not reached was not seen, so there is no observation of it.
    """
    session = Session(server, deadline)
    seen: list[AnyObservation] = []
    try:
        for planned in checks:
            observation = _observe(session, planned)
            seen.append(observation)
            if observation.failure is not None and not session.alive:
                break
    finally:
        session.close()
    return seen


def _observe(session: Session, configured: ConfiguredCheck) -> AnyObservation:
    started = monotonic()
    facts, failure = None, None
    try:
        facts = _facts(session, configured)
    except SessionError as error:
        failure = error.failure
    except Exception as error:  # a check's mistake says nothing about the server
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
    """Return what the check sees; TypeError if it is no check of rounds, or returns no facts."""
    check = configured.check
    if check.observe is None:
        raise TypeError(f"{check.name} is a survey, and no part of a round")
    facts: object = check.observe(session, configured.params)
    if not isinstance(facts, check.facts) or not isinstance(facts, Struct):
        raise TypeError(f"{type(facts).__name__} is not the facts of {check.name}")
    return facts
