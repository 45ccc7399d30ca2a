"""What a check is, what its judge sees, and which checks a cluster wants.

Authors of checks find all of it in `ldaphealth.plugin`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.model import CheckEffect, F, Finding, Metric, Observation, Server, State, Trust

if TYPE_CHECKING:  # a check's type mentions the session; loading it would load ldap3
    from ldaphealth.ldap.session import Session
    from ldaphealth.survey import SurveyContext, SurveyResult

P = TypeVar("P", bound=Struct)  # the settings of one check
ObservationsByServer = Mapping[str, Sequence[Observation[F]]]  # by server ID, oldest first
SECOND_LOOK_PART = 0.6  # of the deadline; the rest is for the looks themselves


class View(Struct, Generic[F], frozen=True):
    """What the judge of one check sees: the observations of that check on the whole cluster.

    Observations are oldest first, failed ones included. `one_shot` is true in a process that
    remembers nothing from before: two observations a moment apart are all that it has.
    """

    server: Server
    check: str
    observations: ObservationsByServer[F]
    one_shot: bool = False

    @property
    def own(self) -> Sequence[Observation[F]]:
        """Return the observations of the server that is judged, oldest first."""
        return self.observations.get(self.server.id, ())

    @property
    def latest(self) -> Observation[F]:
        """Return the newest observation of the server that is judged; IndexError without one."""
        return self.own[-1]

    @property
    def facts(self) -> F:
        """Return the facts of the newest observation; ValueError if it failed.

        A judge runs only when there are facts.
        """
        facts = self.latest.facts
        if facts is None:
            raise ValueError(f"the newest observation of {self.check} on {self.server.id} failed")
        return facts

    def finding(
        self,
        state: State,
        code: str,
        summary: str,
        metrics: Iterable[Metric] = (),
        trust: Trust = Trust.SOFT,
    ) -> Finding:
        """Return a finding on the server that is judged."""
        return Finding(
            server=self.server.id,
            check=self.check,
            state=state,
            code=code,
            summary=summary,
            metrics=tuple(metrics),
            trust=trust,
        )


class Check(Struct, Generic[P, F], frozen=True, kw_only=True):
    """One kind of check.

    `params` is a frozen msgspec Struct whose fields are the settings in the configuration file.
    `facts` is the frozen msgspec Struct that holds what the check sees.

    `observe(session, params)` does the I/O on one server and returns the facts. It has no opinion;
    SessionError passes through it. `judge(view, params)` is a pure function and returns findings:
    at least one, and only OK ones when all is well. It runs only when the newest observation did
    not fail. `second_look(view, params)` returns true when a process without memory must observe
    the server again a moment later before it can judge.

    A judge sees the newest 64 observations of each server. `covers(earlier, later)` returns true
    when the later facts say all that the earlier ones do. With it the judge sees older
    observations too: of three in a row the middle one may be dropped when each covers the one
    before it. `select_kept` returns the few observations that a restart of the agent must not
    forget.

    A check has either `observe` or `survey`. A survey watches several servers for a longer time
    (ldaphealth/survey.py). Rounds leave it out, only the agent runs it, and its `params` also have
    `interval_seconds` and `deadline_seconds`.
    """

    name: str
    params: type[P]
    facts: type[F]
    judge: Callable[[View[F], P], Iterable[Finding]]
    observe: Callable[[Session, P], F] | None = None
    survey: Callable[[SurveyContext[P, Any]], SurveyResult[F, Any]] | None = None
    effect: CheckEffect = CheckEffect.WATCH
    second_look: Callable[[View[F], P], bool] | None = None
    covers: Callable[[F, F], bool] | None = None
    select_kept: Callable[[ObservationsByServer[F]], ObservationsByServer[F]] | None = None

    def __post_init__(self) -> None:
        if (self.observe is None) is (self.survey is None):
            raise TypeError(f"check {self.name} needs either observe or survey")


# Where it does not matter which check it is.
AnyView = View[Any]
AnyCheck = Check[Any, Any]


class ConfiguredCheck(Struct, frozen=True):
    """One check as a cluster wants it: with its settings and its effect on the verdict."""

    check: AnyCheck
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
