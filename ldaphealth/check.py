"""The parts of a check: what it observes, how it judges, and the view that its judge gets.

`ldaphealth.plugin` exports these names to authors of checks. settings.py has the settings of a
check in a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec import Struct

from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Credentials,
    F,
    Finding,
    Metric,
    Observation,
    Role,
    Server,
    State,
    Trust,
)

if TYPE_CHECKING:  # importing the session would import ldap3
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session
    from ldaphealth.survey import SurveyContext, SurveyResult

MOST_NEWEST = 64  # observations of a server and check that judges see

P = TypeVar("P", bound=Struct)  # the settings of one check
ObservationsByServer = Mapping[str, Sequence[Observation[F]]]  # by server ID, oldest first


class CheckedCluster(Protocol):
    """The cluster that configures a check, as `Check.validate` gets it."""

    @property
    def servers(self) -> tuple[Server, ...]:
        """Return the servers of the cluster."""

    @property
    def deadline_seconds(self) -> float:
        """Return the seconds that a round may take."""

    @property
    def second_look_seconds(self) -> float:
        """Return the seconds between the two probes of a process without memory."""


class CheckSettings(Protocol):
    """The settings of a check in a cluster: its `Params`."""

    @property
    def params(self) -> Any:
        """Return the settings of the cluster."""

    @property
    def own_params(self) -> Mapping[str, Any]:
        """Return those of the servers that have settings of their own, by server ID."""

    @property
    def credentials(self) -> Credentials | None:
        """Return its credentials, None if it uses those of the server."""


class Login(Protocol):
    """How a check logs in with its credentials, beside the session with the server."""

    @property
    def dn(self) -> str:
        """Return the DN of the credentials, "" if they are for whichever DN the check finds."""

    def session(self, dn: str) -> AbstractContextManager[Session]:
        """Return a second session, bound as that DN with the password of the credentials.

        It ends with the context. Its SessionErrors state nothing about the LDAP service in general.
        """


class _Observed(Struct, Generic[F], frozen=True):
    """A server that is judged, and the observations of a check on its cluster."""

    server: Server
    check: str
    observations: ObservationsByServer[F]


class View(_Observed[F], Generic[F], frozen=True, kw_only=True):
    """What the judge of one check sees: the observations of that check on the whole cluster.

    Observations are oldest first and include failed ones. `one_shot` is true in a process without
    memory, which has at most two observations, a moment apart. `servers` are those of the cluster,
    with their settings; of some of them there may be no observations. `configured` has the settings
    of the check on all servers; the judge gets those of the server that is judged. `writers`
    returns the names of the servers that make changes, by server ID, as far as a check shows it.
    `is_growing`: each own observation with facts covers the one before it (`Check.covers`), and so
    the newest covers all; false if that is not known.
    """

    one_shot: bool = False
    servers: Sequence[Server] = ()
    configured: CheckSettings | None = None
    writers: Callable[[], Mapping[int, str]] = dict
    is_growing: bool = False

    @property
    def own(self) -> Sequence[Observation[F]]:
        """Return the observations of the server that is judged, oldest first."""
        try:
            return self.observations[self.server.id]
        except KeyError:
            return ()

    @property
    def others(self) -> ObservationsByServer[F]:
        """Return the observations of the other servers, without those of balancers.

        A session through a balancer takes longer, with whichever server it is.
        """
        apart = {each.id for each in self.servers if each.role is Role.BALANCER} | {self.server.id}
        return {server: seen for server, seen in self.observations.items() if server not in apart}

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


class NewBaseline(Struct, Generic[F], frozen=True, kw_only=True):
    """What servers are compared with from now on, in place of what was observed of them before.

    `summary` is a phrase for people, and `replaced` has the old and the new values, for the
    history. `counted(server, facts)` returns the facts as which remembered ones count from now on;
    `server` is a server ID.
    """

    summary: str
    replaced: Mapping[str, Any]
    counted: Callable[[str, F], F]


class Check(Struct, Generic[P, F], frozen=True, kw_only=True, dict=True):  # a cached property
    """One kind of check.

    `params` is a frozen msgspec Struct whose fields are the settings in the configuration file.
    `facts` is the frozen msgspec Struct that holds what the check sees.

    `observe(session, params)` does the I/O on one server and returns the facts, without an opinion.
    SessionError passes through it.

    `requests(server, params)` states the searches and compares that `observe` will surely make, so
    that they travel together with those of its neighbours (rounds/flights.py). It returns flights:
    the requests of one do not depend on each other, nor on the order in which they are answered;
    each flight depends on the answers to the one before. A request whose time is judged, or that
    follows a write, is not among them.

    `judge(view, params)` is a pure function that returns findings:
    at least one, and only OK ones when all is well. It runs only when the newest observation did
    not fail. `second_look(view, params)` returns true when a process without memory must observe
    the server again a moment later before it can judge.

    A judge sees the newest 64 observations of each server, or fewer: `newest`, which is 1 if it
    judges the newest one only. They stay in memory. `judges_older_times`: it reads the times of
    operations of others than the newest one; else these have none.

    With `covers` or `merged` the judge sees older observations, too. `covers(earlier, later)`
    returns true when the later facts contain all that the earlier facts prove: of three in a row
    the middle one may be dropped when each covers the one before it. `merged(earlier, later)`
    returns facts that stand for both, `earlier` itself if the later ones prove nothing, and None if
    none do: then both are kept, of the older ones the newest 8. `select_kept` returns the few
    observations that a restart of the agent must not forget.

    `new_baseline(view, params, at_once)` returns what replaces the observations with which
    this server is compared, after the whole cluster went back to an older state, None if nothing
    does. `at_once` is true if an operator requests it, for any server of the cluster; else it must
    be proven, and the function is called when a finding on the server is not OK.
    `validate(cluster, params)` returns the mistakes in the settings for that cluster: pairs of a
    key, or "" for all of them, and a message. It is also called with the settings of a server that
    has its own, and then only the mistakes in those count.

    `server_settings` names the settings that a server may have of its own, and that are then in
    place of those of the cluster. By default these are all, and none of a survey.

    `judged_settings` names the settings that only `judge` and `summarize` read, so that a shadow of
    the cluster may have others for the same probes. By default these are its thresholds.

    `judged_metrics` are thresholds that find nothing unless they alert for a metric that a finding
    has with other thresholds, too: the key of each one, and the metrics, with `{check}` for the
    name of the check. Without metrics they decide nothing in the agent. So a backtest knows when
    other thresholds would have found nothing either, without judging again.

    `of_one_server`: its facts are those of one server, such as a position in replication. It is not
    run on a server with the role `balancer`, behind which each session may reach another server.

    A cluster may have several checks of a kind, by name, unless `single_because` says why not. Each
    may run in some rounds only, and with other credentials than those of the server, unless
    `bound_because` says why it belongs to each session with the server. Both are phrases for the
    message about a setting that is refused, such as "every session has this step".

    A check has one of `observe`, `observe_as`, `survey` and `summarize`.
    `observe_as(session, login, params)` is `observe` of a check that tries a login with its
    `credentials`, which it needs. It runs once in a round: no confirmation repeats it. A survey
    watches several servers for a longer time (ldaphealth/survey.py). It is not part of a round,
    only the agent runs it, and its `params` also have `interval_seconds` and `deadline_seconds`. It
    may have other credentials.

    `writers(observations)` returns the names of the servers that were seen to make changes, by
    server ID. The judge of a check with `names_writers` gets them.

    `summarize(seen, params)` makes the facts of a whole probe, also of one that failed, from the
    observations of its checks with the effect `out`, without I/O. None: there are no facts. Only
    the agent, which has several probes to compare, calls it.
    """

    name: str
    params: type[P]
    facts: type[F]
    judge: Callable[[View[F], P], Iterable[Finding]]
    observe: Callable[[Session, P], F] | None = None
    requests: Callable[[Server, P], Iterable[Flight]] | None = None
    observe_as: Callable[[Session, Login, P], F] | None = None
    survey: Callable[[SurveyContext[P, Any]], SurveyResult[F, Any]] | None = None
    summarize: Callable[[Sequence[AnyObservation], P], F | None] | None = None
    effect: CheckEffect = CheckEffect.WATCH
    of_one_server: bool = False
    second_look: Callable[[View[F], P], bool] | None = None
    newest: int = MOST_NEWEST
    judges_older_times: bool = True
    merged: Callable[[F, F], F | None] | None = None
    covers: Callable[[F, F], bool] | None = None
    select_kept: Callable[[ObservationsByServer[F]], ObservationsByServer[F]] | None = None
    new_baseline: Callable[[View[F], P, bool], NewBaseline[F] | None] | None = None
    validate: Callable[[CheckedCluster, P], Iterable[tuple[str, str]]] | None = None
    server_settings: tuple[str, ...] | None = None
    judged_settings: tuple[str, ...] | None = None
    judged_metrics: Mapping[str, tuple[str, ...]] = {}
    single_because: str = ""
    bound_because: str = ""
    writers: Callable[[ObservationsByServer[F]], Mapping[int, str]] | None = None
    names_writers: bool = False

    @cached_property
    def may_block(self) -> bool:
        """Return whether it may wait for something else than its session: it is not ours."""
        observes = self.observe or self.observe_as
        return not str(getattr(observes, "__module__", "")).startswith("ldaphealth.")

    def __post_init__(self) -> None:
        sources = (self.observe, self.observe_as, self.survey, self.summarize)
        if sum(each is not None for each in sources) != 1:
            needs = "one of observe, observe_as, survey and summarize"
            raise TypeError(f"check {self.name} needs {needs}")
        if self.requests is not None and self.observe is None:
            raise TypeError(f"check {self.name} states requests, which needs observe")
        if self.merged is not None and self.covers is not None:
            raise TypeError(f"check {self.name} has merged and covers, and may have one only")

    @property
    def is_in_rounds(self) -> bool:
        """Return whether it is run in sessions of rounds."""
        return self.observe is not None or self.observe_as is not None

    @property
    def why_single(self) -> str:
        """Return why a cluster can have only one check of this kind, "" if it can have several."""
        return self.single_because or self.bound_because

    @property
    def why_bound(self) -> str:
        """Return why it runs in each session with a server, and in no other; "" if it need not."""
        if self.survey is not None:
            return "a survey has its own interval_seconds"
        if self.summarize is not None:
            return "it judges whole probes"
        return self.bound_because

    @property
    def own_settings(self) -> tuple[str, ...]:
        """Return the keys of the settings that a server may have of its own."""
        if self.server_settings is not None:
            return self.server_settings
        return () if self.survey else self.params.__struct_encode_fields__


# Types for a check of any kind.
AnyView = View[Any]
AnyCheck = Check[Any, Any]
