"""Which checks are due in a round of a server: those with `every` run in some rounds only. Pure.

pool.py notes each round, and asks before the next one. While a check does not run, its newest
observation stands. That must not count as more evidence, so a check runs in each round while its
result may change the verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from zlib import crc32

from ldaphealth.guard import ServerMemory, is_in_doubt
from ldaphealth.model import AnyObservation, CheckEffect, Finding, Server, State
from ldaphealth.settings import Cluster, ConfiguredCheck

# The states that count against a server, by the effect of the check.
COUNTED: Mapping[CheckEffect, Collection[State]] = {
    CheckEffect.OUT: {State.CRITICAL},
    CheckEffect.WEIGHT: {State.WARNING, State.CRITICAL},
    CheckEffect.WATCH: (),
}


class Turns:
    """The rounds of each server of a cluster, and the checks that need not run in the next one."""

    def __init__(self) -> None:
        self._rounds: dict[str, int] = {}
        self._good: dict[str, frozenset[str]] = {}  # checks, since the latest failed session
        self._due: dict[tuple[str, ...], tuple[ConfiguredCheck, ...]] = {}  # by their names

    def note(
        self, server: str, seen: Collection[str], bad: Container[str], *, is_complete: bool
    ) -> None:
        """Note a round: the checks that were seen, and those whose findings are not all OK.

        After a session that failed, what was seen before it proves nothing, so all are due again.
        """
        self._rounds[server] = self._rounds.get(server, 0) + 1
        before = self._good.get(server, frozenset()) if is_complete else ()
        self._good[server] = frozenset(each for each in (*before, *seen) if each not in bad)

    def due(
        self, cluster: Cluster, server: Server, past: ServerMemory | None
    ) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of the next round of a server, in order.

        Those of equal names are the same object: what is planned for them is kept
        (rounds/session_plans.py).
        """
        checks = cluster.round_checks_of(server)
        if all(each.every == 1 for each in checks):
            return checks
        if past is None or is_in_doubt(past, cluster.settle) or past.leaning:
            return checks
        good = self._good.get(server.id, frozenset()).difference(past.failing)
        number = self._rounds.get(server.id, 0)
        due = tuple(
            each for each in checks if each.name not in good or _has_turn(each, server, number)
        )
        if len(due) == len(checks):
            return checks
        return self._due.setdefault(tuple([each.name for each in due]), due)

    def forget(self) -> None:
        """Make all checks due in the next round: their settings are new."""
        self._good.clear()
        self._due.clear()


def only_repeats(
    cluster: Cluster, findings: Iterable[Finding], seen: Iterable[AnyObservation]
) -> bool:
    """Return whether an old observation of a check that did not run counts against the server.

    Then the check would have been due, unless the findings are of a pool that does not decide what
    is probed.
    """
    ran = {each.check for each in seen}
    effects = {
        each.name: each.effect
        for each in cluster.round_checks
        if each.every > 1 and each.name not in ran
    }
    return bool(effects) and any(
        each.state in COUNTED[effects.get(each.check, CheckEffect.WATCH)] for each in findings
    )


def _has_turn(configured: ConfiguredCheck, server: Server, number: int) -> bool:
    """Return whether it is the turn of a check; servers take their turns in different rounds."""
    first = crc32(f"{server.id} {configured.name}".encode())
    return (number + first) % configured.every == 0
