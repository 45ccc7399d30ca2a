"""The flights of the sessions with each server, made once for all sessions with the same checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ldaphealth.ldap.encoded_flights import NO_FLIGHTS, EncodedFlights, encoded_flights
from ldaphealth.ldap.flight import Flight
from ldaphealth.model import Server
from ldaphealth.rounds.flights import flights
from ldaphealth.settings import ConfiguredCheck

MOST_PLANS = 4  # of a server: rounds with and without some checks, and confirmations


class _Plan(Struct, frozen=True):
    """The flights of the sessions with one server that run these checks."""

    checks: Sequence[ConfiguredCheck]
    flights: EncodedFlights


class _InUse(Struct, frozen=True):
    """The servers of the settings in use by ID, their plans, and what these have in common."""

    servers: Mapping[str, Server]
    plans: dict[str, tuple[_Plan, ...]]
    encoded: dict[tuple[Flight, ...], EncodedFlights]


class SessionPlans:
    """The flights of the newest sessions with each server of an agent. Any thread may use them.

    They are kept for the same objects, because to compare the settings takes as long as to make the
    flights, and only for servers of the settings in use: what was replaced has passwords. With
    checks of other packages they are made for each session.
    """

    def __init__(self) -> None:
        self._in_use = _InUse({}, {}, {})

    def replace_servers(self, servers: Iterable[Server]) -> None:
        """Keep flights of these servers from now on, and forget all others."""
        self._in_use = _InUse({each.id: each for each in servers}, {}, {})

    def flights(self, server: Server, checks: Sequence[ConfiguredCheck]) -> EncodedFlights:
        """Return the flights of a session, none with a server that must not get any."""
        if not server.pipeline:
            return NO_FLIGHTS
        in_use = self._in_use  # another thread may replace it meanwhile
        if in_use.servers.get(server.id) is not server:
            return encoded_flights(flights(checks, server))
        known = in_use.plans.get(server.id, ())
        for plan in known:
            if plan.checks is checks:
                return plan.flights
        planned = flights(checks, server)
        encoded = in_use.encoded.get(planned)
        if encoded is None:
            encoded = encoded_flights(planned)
        if not any(each.check.may_block for each in checks):
            in_use.encoded[planned] = encoded
            in_use.plans[server.id] = (_Plan(checks, encoded), *known[: MOST_PLANS - 1])
        return encoded
