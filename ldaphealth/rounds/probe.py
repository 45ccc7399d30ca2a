"""One look at one server: a session as a client has it, with the checks in order on it.

The one-shot command runs this in one thread per server; nothing here outlives the deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind, Observation, Server
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)


def probe_server(
    server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
) -> list[Observation]:
    """Run the checks in order; stop where the session ends. The failure that ended it is the last.

    What was not reached was not seen, so there is no observation of it.
    """
    session = Session(server, deadline)
    seen: list[Observation] = []
    try:
        for planned in checks:
            observation = _observe(session, planned)
            seen.append(observation)
            if observation.failure is not None and not session.alive:
                break
    finally:
        session.close()
    return seen


def _observe(session: Session, planned: ConfiguredCheck) -> Observation:
    started = monotonic()
    facts, failure = {}, None
    try:
        facts = dict(planned.check.observe(session, planned.params))
    except SessionError as error:
        failure = error.failure
    except Exception as error:  # a check's mistake says nothing about the server
        log.exception("check %s failed on %s", planned.check.name, session.server.id)
        detail = printable(f"the check itself failed: {type(error).__name__}: {error}")
        failure = Failure(FailureKind.BUG, detail, is_local=True)
    timings, session.timings = session.timings, {}
    name, server = planned.check.name, session.server.id
    return Observation(server, name, started, monotonic() - started, facts, timings, failure)
