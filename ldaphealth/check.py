"""What a check is, and how a cluster says which checks it wants.

Authors of checks import `Check`; config.py and probe.py use `ConfiguredCheck` and `Cluster`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Finding, Metric, Observation, Server, State, Trust

if TYPE_CHECKING:  # a check's type mentions the session; loading it would load ldap3
    from ldaphealth.ldap.session import Session
    from ldaphealth.survey import Survey

Facts = Mapping[str, object]
ObservationsByServer = Mapping[str, Sequence[Observation]]  # by server ID, oldest first
SECOND_LOOK_PART = 0.6  # of the deadline; the rest is for the looks themselves


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
    in the configuration file.

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


class ConfiguredCheck(Struct, frozen=True):
    """One check as a cluster wants it: with its settings and its effect on the verdict."""

    check: Check
    params: Any
    effect: CheckEffect


class Settle(Struct, frozen=True):
    """How many rounds, and how much time, it takes to believe a change (docs/verdicts.md)."""

    confirm_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="a server without LDAP service is looked at again for "
            "so long before the round counts as failed: a restart within it removes nobody",
        ),
    ] = 1.5
    fall_hard: Annotated[
        int, Meta(ge=1, le=100, description="rounds without LDAP service until a server goes out")
    ] = 1
    fall_soft: Annotated[
        int, Meta(ge=1, le=100, description="rounds with a broken expectation, such as too slow")
    ] = 3
    rise: Annotated[
        int, Meta(ge=1, le=100, description="good rounds until a server comes back")
    ] = 2
    min_out_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="it stays out at least so long; twice as long with "
            "each time that it went out within `flap_window_seconds`, at most 32 times",
        ),
    ] = 5.0
    flap_window_seconds: Annotated[
        float, Meta(ge=0, le=86400, description="for how long a removal is remembered as a flap")
    ] = 600.0
    ramp_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="after it came back its weight grows to the full "
            "one in this time; 0: at once",
        ),
    ] = 30.0
    believe_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="when no server of the cluster gives service, it is "
            "more likely us: the last verdicts are held for so long",
        ),
    ] = 15.0


class Cluster(Struct, frozen=True):
    """Servers that hold the same data, judged together.

    `checks` are in the order of a session: connect, bind, the operations, unbind.
    `min_in_service` is the floor under soft failures. Times are seconds. `interval_seconds` and
    `settle` are the agent's; the one-shot command looks once.
    """

    name: str
    servers: tuple[Server, ...]
    checks: tuple[ConfiguredCheck, ...]
    min_in_service: int
    deadline_seconds: float = 5.0
    second_look_seconds: float = 1.0
    interval_seconds: float = 5.0
    settle: Settle = Settle()

    @property
    def round_checks(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of a session, in its order."""
        return tuple(planned for planned in self.checks if planned.check.survey is None)

    @property
    def surveys(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks that the agent does beside its rounds."""
        return tuple(planned for planned in self.checks if planned.check.survey is not None)

    def within(self, deadline_seconds: float) -> Cluster:
        """Return the same with another deadline, and a second look that fits into it."""
        pause = min(self.second_look_seconds, deadline_seconds * SECOND_LOOK_PART)
        return replace(self, deadline_seconds=deadline_seconds, second_look_seconds=pause)
