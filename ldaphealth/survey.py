"""What a survey is: a check that watches several servers of a cluster over a longer time.

Authors of such checks import this. The agent runs surveys beside its rounds
(agent/survey_runner.py); what one finds becomes one observation a server, which the check's `judge`
gets like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import Server

if TYPE_CHECKING:  # loading it would load ldap3
    from ldaphealth.ldap.session import Session


class StoppedError(Exception):
    """The agent ends, or a reload changed the cluster: nobody waits for the survey any more."""


class SurveyContext(Struct, frozen=True):
    """All that a survey works with.

    `kept` is what the survey before this one returned as such, None for the first of a process.
    `deadline` is the hard one of the whole survey.
    """

    servers: tuple[Server, ...]
    params: Any
    deadline: Deadline
    kept: Any
    opening: Callable[[Server, Deadline, int | None], Session]
    stopping: Callable[[float], bool]  # wait so many seconds; True at once when all must end

    def open(
        self, server: Server, seconds: float | None = None, budget_bytes: int | None = None
    ) -> Session:
        """Return a session that is connected and bound, for whoever asks to close; SessionError.

        It ends with the survey's deadline, or after so many seconds if that is sooner.
        `budget_bytes` is what it may receive, by default what a session of a round may.
        """
        own = self.deadline
        if seconds is not None and own.now() + seconds < own.at:
            own = Deadline.after(seconds, own.now)
        return self.opening(server, own, budget_bytes)

    def pause(self, seconds: float) -> None:
        """Wait, but not past the deadline; StoppedError when all must end. 0 only asks."""
        if self.stopping(max(0.0, min(seconds, self.deadline.at - self.deadline.now()))):
            raise StoppedError


class SurveyFacts(Struct, frozen=True):
    """What a survey saw of one server: JSON-able facts without opinion, and seconds by operation.

    Another server's trouble belongs into the facts: a survey has no failures but its own.
    """

    facts: Mapping[str, object]
    timings: Mapping[str, float] = {}


class SurveyResult(Struct, frozen=True):
    """What a survey saw, by server ID, and what it wants to be given the next time."""

    found: Mapping[str, SurveyFacts]
    kept: Any = None


Survey = Callable[[SurveyContext], SurveyResult]
