"""What a check is: what it observes, how it judges, and the view that its judge gets.

Authors of checks import `Check`; settings.py has how a cluster configures one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from ldaphealth.model import CheckEffect, Finding, Metric, Observation, Server, State, Trust

if TYPE_CHECKING:  # a check's type mentions the session; loading it would load ldap3
    from ldaphealth.ldap.session import Session
    from ldaphealth.survey import Survey

Facts = Mapping[str, object]
ObservationsByServer = Mapping[str, Sequence[Observation]]  # by server ID, oldest first


class CheckedCluster(Protocol):
    """What a check can compare its params with: the cluster that configures it."""

    @property
    def servers(self) -> tuple[Server, ...]:
        """Return the servers of the cluster."""

    @property
    def deadline_seconds(self) -> float:
        """Return the time that a round may take."""

    @property
    def second_look_seconds(self) -> float:
        """Return the pause between the two reads of a process without memory."""


class View(Struct, frozen=True):
    """All that one judge may look at: its check's observations of the whole cluster.

    `one_shot` says that nothing was remembered before this process: two reads a moment apart are
    all there is. Observations are oldest first, failed ones included.
    """

    server: Server
    check: str
    observations: Mapping[str, Sequence[Observation]]  # by server ID; all servers of the cluster
    one_shot: bool = False

    @property
    def mine(self) -> Sequence[Observation]:
        """Return the observations of the server that is judged, oldest first."""
        return self.observations.get(self.server.id, ())

    @property
    def latest(self) -> Observation:
        """Return the newest observation of the server; a judge runs only when there is one."""
        return self.mine[-1]

    def finding(
        self,
        state: State,
        code: str,
        summary: str,
        metrics: Iterable[Metric] = (),
        trust: Trust = Trust.SOFT,
    ) -> Finding:
        """Return an opinion on the server that is judged."""
        return Finding(self.server.id, self.check, state, code, summary, tuple(metrics), trust)


def _never(view: View, params: Any) -> bool:  # noqa: ARG001
    return False


def not_in_rounds(session: Session, params: Any) -> Facts:  # noqa: ARG001
    """Stand for `observe` in a check that is a survey: no round ever asks it."""
    raise TypeError("a survey is no part of a round")


class Check(Struct, frozen=True):
    """One kind of check.

    `observe(session, params)` does I/O on one server and returns facts, JSON-able and without
    opinion; SessionError passes through. `judge(view, params)` is pure and returns findings: at
    least one, and only OK ones when all is well; it runs only when the newest observation is no
    failure. `second_look(view, params)` says that a process without memory must observe again a
    moment later before it judges.

    A judge sees the newest 64 reads. With `covers(earlier, later)`, which tells that the facts of
    the later read say all that those of the earlier do, it sees older ones as well: of three in a
    row the middle one may be forgotten when each covers the one before it. `essence` returns the
    few observations of all servers that a restart of the agent must not forget.

    `params` is a frozen msgspec Struct; its fields are the settings
    in the configuration file. `validate(cluster, params)` returns what is wrong with them in that
    cluster: pairs of a key, or "" for all of them, and a message.

    A check with `survey` watches several servers over a longer time (survey.py). It has no part in
    rounds, so its `observe` is `not_in_rounds`; the agent alone runs it, and its `params` also have
    `interval_seconds` and `deadline_seconds`.
    """

    name: str
    params: type[Any]
    observe: Callable[[Session, Any], Facts]
    judge: Callable[[View, Any], Iterable[Finding]]
    effect: CheckEffect = CheckEffect.WATCH
    second_look: Callable[[View, Any], bool] = _never
    survey: Survey | None = None
    covers: Callable[[Facts, Facts], bool] | None = None
    select_kept: Callable[[ObservationsByServer], ObservationsByServer] | None = None
    validate: Callable[[CheckedCluster, Any], Iterable[tuple[str, str]]] | None = None
