"""Which servers a decision must consider: those with something new, while all are quiet. Pure.

All servers of a cluster must be considered only while a rule may change something: then one server
matters to the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.decision import Situation
from ldaphealth.guard.memory import Memory, ServerMemory
from ldaphealth.guard.reading import FoundOnServer
from ldaphealth.model import Server
from ldaphealth.settings import Settle


def is_quiet(
    found: FoundOnServer, past: ServerMemory | None, settle: Settle, now: BootSeconds
) -> bool:
    """Return whether a server without an override matters to no other, and no other to it.

    It is in service, nothing found removes it, and it is known to answer. Then time changes its
    verdict neither, because its slow start is over, and a decision without a new round or finding
    gives the same verdict and memory.
    """
    return (
        past is not None
        and past.in_service
        and not found.removing
        and past.silent_since is None
        and not (past.returned and now - past.since < settle.ramp_seconds)
    )


def servers_to_decide(given: Situation, changed: Collection[str]) -> list[Server]:
    """Return the servers that changed if they are quiet, else all. Call it if the others are quiet.

    `changed` are those with a round, or with other findings than at the decision before.
    """
    if given.memory.overrides or not all(_is_quiet(given, each, given.memory) for each in changed):
        return [*given.servers.values()]
    if len(changed) == 1:
        return [given.servers[each] for each in changed]
    return [each for server, each in given.servers.items() if server in changed]


def restless(given: Situation, decided: Sequence[Server], after: Memory) -> set[str]:
    """Return the servers that are not quiet after a decision on these, with the memory of it.

    A server is not quiet in its first decision, which began its memory.
    """
    known = given.memory.servers
    return {
        server
        for server in (each.id for each in decided)
        if server in after.servers and (server not in known or not _is_quiet(given, server, after))
    }


def _is_quiet(given: Situation, server: str, memory: Memory) -> bool:
    past = memory.servers.get(server)
    return is_quiet(given.found[server], past, given.cluster.settle, given.now)
