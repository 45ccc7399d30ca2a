"""The flights of a session: which of the requests that its checks state travel together.

Pure. probe.py plans them with the session, which sends each flight when the first of its requests
is made.

Checks next to each other share flights, if they may do the same to the verdict: a connection that
breaks because of the answer to one check fails the check that waits. A check that states nothing
makes its requests alone, and the checks after it begin another flight: what it reads or writes must
neither wait for others nor be older than they.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from ldaphealth.ldap.flight import Flight, Request
from ldaphealth.model import Server
from ldaphealth.settings import ConfiguredCheck

log = logging.getLogger(__name__)

# More are sent as another flight. slapd closes a connection on which `conn_max_pending` requests
# wait (slapd.conf(5)), 100 by default, and the answers to few requests fit into any buffer.
MOST_REQUESTS = 16


def flights(checks: Iterable[ConfiguredCheck], server: Server) -> tuple[Flight, ...]:
    """Return the flights of a session with those checks, in the order in which they are sent.

    A request that several checks state is in one of them, where the first check has it.
    """
    found: list[list[Request]] = []
    place: dict[Request, int] = {}
    newest: ConfiguredCheck | None = None  # the latest check in the newest flight, if that is open
    for configured in checks:
        stated = _stated(configured, server)
        if not stated or (newest is not None and newest.effect is not configured.effect):
            newest = None
        before: Flight = ()
        for flight in stated:
            if any(place[each] == len(found) - 1 for each in before):
                newest = None
            for request in flight:
                if request in place:
                    continue
                if newest is None or len(found[-1]) == MOST_REQUESTS:
                    found.append([])
                found[-1].append(request)
                place[request], newest = len(found) - 1, configured
            before += flight
    return tuple(map(tuple, found))


def _stated(configured: ConfiguredCheck, server: Server) -> Sequence[Flight]:
    """Return the flights of a check, none if it runs in some rounds or on another session only.

    The times of a session are compared with those of sessions without such a check.
    """
    state = configured.check.requests
    if state is None or configured.is_occasional or configured.credentials_on(server) is not None:
        return ()
    try:
        return [tuple(dict.fromkeys(each)) for each in state(server, configured.params_of(server))]
    except Exception:  # an error in a check of another package must remove no server
        log.exception("check %s cannot state its requests", configured.name)
        return ()
