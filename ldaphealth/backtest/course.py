"""What one set of settings decided over a time: of each server, when it was in service."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct, field

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.availability import OPERATOR, ServiceChange
from ldaphealth.model import State, Verdict

Changes = dict[str, list[ServiceChange]]  # by server ID, oldest first


class Course(Struct):
    """The changes of the verdicts. `critical` has the times without a CRITICAL state as service."""

    service: Changes = field(default_factory=dict)
    critical: Changes = field(default_factory=dict)

    def note(self, verdict: Verdict, at: EpochSeconds) -> None:
        """Add a verdict."""
        _note(self.service, verdict.server, ServiceChange(at, verdict.in_service, _causes(verdict)))
        is_critical = verdict.state is State.CRITICAL
        codes = [each.code for each in verdict.reasons if each.state is State.CRITICAL]
        causes = tuple(sorted(codes)) if is_critical else ()
        _note(self.critical, verdict.server, ServiceChange(at, not is_critical, causes))

    def note_calm(
        self, servers: Iterable[str], critical: Collection[str], at: EpochSeconds
    ) -> None:
        """Add that these servers were in service from then on, and the state of some CRITICAL."""
        for server in servers:
            _note(self.service, server, ServiceChange(at, True))
            _note(self.critical, server, ServiceChange(at, server not in critical))

    def add(self, later: Course) -> None:
        """Add what came after it."""
        for mine, other in ((self.service, later.service), (self.critical, later.critical)):
            for server, changes in other.items():
                for each in changes:
                    _note(mine, server, each)


def _note(changes: Changes, server: str, change: ServiceChange) -> None:
    """Add a change, unless it is none. Of an outage the causes at its beginning count."""
    of_server = changes.setdefault(server, [])
    if not of_server or of_server[-1].in_service != change.in_service:
        of_server.append(change)


def _causes(verdict: Verdict) -> tuple[str, ...]:
    if verdict.in_service:
        return ()
    if verdict.override is not None:
        return (OPERATOR,)
    return tuple(sorted({each.code for each in verdict.reasons if each.removes}))
