"""Types for a survey: a check that watches several servers of a cluster for a longer time.

The agent runs surveys beside its rounds (agent/survey_runner.py). The result becomes one
observation of each server, which the `judge` of the check gets like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import F, Server

if TYPE_CHECKING:  # importing it would import ldap3
    from ldaphealth.ldap.session import Session

P = TypeVar("P", bound=Struct)  # the settings of the survey
K = TypeVar("K")  # what a run passes to the next run


# What the history has of a number (`CHECK.NAME`) of a server by its ID: by label, the most in each
# hour of the last weeks, by the hour since 1970.
Past = Callable[[str, str], Mapping[str, Mapping[int, float]]]

Opening = Callable[["Server", "Deadline", int | None], "Session"]  # with a byte budget


def without_past(_server: str, _number: str) -> Mapping[str, Mapping[int, float]]:
    """Return nothing, where there is no history."""
    return {}


class StoppedError(Exception):
    """Raised when a survey must end: the agent stops, or a reload changed the cluster."""


class SurveyContext(Struct, Generic[P, K], frozen=True, kw_only=True):
    """What a survey gets for one run.

    `kept` is the `SurveyResult.kept` of the previous run, None in the first run of a process.
    `returned` are the IDs of servers that came back since the previous run: a survey that takes
    turns begins with them. `deadline` is the hard deadline of the run. `open_session` opens a
    session with a byte budget. `wait` waits for some seconds; it returns true at once when the
    survey must end. `past` has numbers of the history.
    """

    servers: tuple[Server, ...]
    params: P
    deadline: Deadline
    kept: K | None
    returned: frozenset[str] = frozenset()
    open_session: Opening
    wait: Callable[[float], bool]
    past: Past = without_past

    def open(
        self, server: Server, seconds: float | None = None, budget_bytes: int | None = None
    ) -> Session:
        """Return a connected and bound session, which the caller must close; SessionError.

        Its deadline is that of the survey, or `seconds` from now if that is sooner. `budget_bytes`
        is the number of bytes that it may receive, by default as many as a session of a round.
        """
        deadline = self.deadline
        if seconds is not None and deadline.now() + seconds < deadline.at:
            deadline = Deadline.after(seconds, deadline.now)
        return self.open_session(server, deadline, budget_bytes)

    def pause(self, seconds: float) -> None:
        """Wait, but not past the deadline; StoppedError when the survey must end.

        With 0 seconds it only checks that.
        """
        if self.wait(max(0.0, min(seconds, self.deadline.at - self.deadline.now()))):
            raise StoppedError


class SurveyFacts(Struct, Generic[F], frozen=True):
    """What a survey saw of one server: its facts, and the seconds that each operation took.

    The failure of a single server belongs in the facts: a survey fails only as a whole.
    """

    facts: F
    timings: Mapping[str, float] = {}


class SurveyResult(Struct, Generic[F, K], frozen=True):
    """What a survey saw, by server ID, and what the next run gets as `kept`."""

    found: Mapping[str, SurveyFacts[F]]
    kept: K | None = None
