"""The standing of each server in replication, compared with what was seen of the others.

A server is judged only by changes that other servers were seen to have (docs/replication.md). A
provider that is down is a finding on the provider, not on its consumers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Reversible, Sequence
from math import inf
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, CheckedCluster, NewBaseline, View
from ldaphealth.checks.baseline import baseline_of, regressions_of
from ldaphealth.checks.links import poll_intervals
from ldaphealth.checks.standing_findings import (
    OK_SUMMARIES,
    Acceptance,
    FindingParts,
    StandingContext,
    future_findings,
    reference_name,
    regression_findings,
    standing_findings,
    standing_metrics,
)
from ldaphealth.checks.vector_reads import (
    Facts,
    bounded,
    grew,
    own_reads,
    polled_every_seconds,
    reads_beside_bare,
    reads_now,
    select_kept,
    vector,
)
from ldaphealth.clocks import epoch_seconds
from ldaphealth.content.context_csn import (
    context_csn_request,
    read_context_csn_once,
    superior_with_csn,
)
from ldaphealth.csn import (
    ATTRIBUTE,
    MAJORITY,
    CSNError,
    Reference,
    ReferenceMode,
    Terms,
    VectorRead,
    counted,
    lacks,
    regressed,
    standing_of,
)
from ldaphealth.csn.server_id import RetiredServerIds
from ldaphealth.judging.thresholds import NOT_NEGATIVE, Range, Thresholds, at_most
from ldaphealth.ldap.names import DN
from ldaphealth.model import CheckEffect, Finding, Role, Server, State, Trust, consumers
from ldaphealth.text.printable import printable
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session

SYNC_REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"
SERVER = re.compile(r"server:([A-Za-z0-9_][A-Za-z0-9._-]{0,63})", re.ASCII)
# The default in a process without memory; half of the pause if that is shorter than a second.
SECOND_LOOK = Thresholds(critical=Range(end=0.5))


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check.

    A process without memory reads a server twice, a moment apart. It cannot wait for `behind`, so
    `behind_second_look` judges the changes that are missing in both reads. Its default is half of
    the time between the reads, if that is less.
    """

    base: Annotated[DN, Meta(description="the naming context; empty: the suffix")] = DN("")
    bases: Annotated[
        tuple[DN, ...],
        Meta(description="several naming contexts in place of `base`, each judged separately"),
    ] = ()
    behind: Annotated[
        Thresholds,
        Meta(
            description="seconds for which a server lacks what most others have", extra=NOT_NEGATIVE
        ),
    ] = at_most(10, 60)
    behind_second_look: Annotated[
        Thresholds,
        Meta(
            description="the same in a process without memory, which reads twice",
            extra=NOT_NEGATIVE,
        ),
    ] = SECOND_LOOK
    retired_server_ids: RetiredServerIds = ()
    reference: Annotated[
        str,
        Meta(
            description="with what a server is compared: the `majority` of the servers, the "
            "`newest` known change, or `server:NAME`"
        ),
    ] = "majority"
    future_seconds: Annotated[
        Thresholds,
        Meta(description="seconds by which a change is dated in the future", extra=NOT_NEGATIVE),
    ] = at_most(60, 600)
    baseline_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=30 * 86400,
            description="when more than half of the servers went back to the same position, as "
            "after a restore of the cluster: how long they must agree until that is accepted",
        ),
    ] = 300.0

    def __post_init__(self) -> None:
        if self.base and self.bases:
            raise ValueError("base and bases exclude each other: use bases for all")
        if len({*self.bases}) < len(self.bases):
            raise ValueError("bases has the same naming context twice")
        for key in ("behind", "behind_second_look"):
            if getattr(self, key).state(0.0) is not State.OK:
                raise ValueError(f"{key} alerts on 0 s, that is on a server that lacks nothing")
        if self.reference not in ("majority", "newest") and not SERVER.fullmatch(self.reference):
            raise ValueError(
                "reference must be majority, newest, or server:NAME, such as server:ldap1; not "
                f"{self.reference[:80]!a}"
            )

    def proves_within(self, pause_seconds: float) -> bool:
        """Return whether two reads with that pause can prove that a server is behind."""
        limits = self.behind_second_look
        return limits in (SECOND_LOOK, Thresholds()) or _tolerance_seconds(limits) < pause_seconds

    def contexts(self, server: Server) -> tuple[str, ...]:
        """Return the naming contexts to judge on a server: those that it holds."""
        named = self.bases or (self.base or server.suffix,)
        return tuple(base for base in named if server.holds(base)) or named

    def compared_with(self, cluster: str) -> Reference:
        """Return the reference of the settings, for the servers of that cluster."""
        named = SERVER.fullmatch(self.reference)
        if named:
            return Reference(ReferenceMode.SERVER, f"{cluster}/{named[1]}")
        return MAJORITY if self.reference == "majority" else Reference(ReferenceMode.NEWEST)

    def terms(
        self,
        cluster: str,
        servers: Sequence[Server],
        limits: Thresholds,
        own_tolerance_seconds: Mapping[str, float] = {},
    ) -> Terms:
        """Return how these settings compare the servers of a cluster."""
        return Terms(
            retired=frozenset(self.retired_server_ids),
            tolerance_seconds=_tolerance_seconds(limits),
            reference=self.compared_with(cluster),
            consumers=consumers(servers),
            poll_interval_seconds={
                each.id: each.poll_interval_seconds
                for each in servers
                if each.poll_interval_seconds
            },
            own_tolerance_seconds=own_tolerance_seconds,
        )


def requests(server: Server, params: Params) -> Iterator[Flight]:
    """Yield the reads of contextCSN; the links belong to the check consumer."""
    yield (*map(context_csn_request, params.contexts(server)),)


def observe(session: Session, params: Params) -> Facts:
    """Read contextCSN of every naming context, and how often the server polls its provider.

    Without contextCSN it finds the superior that has it.
    """
    contexts = params.contexts(session.server)
    found = {base: bounded(read_context_csn_once(session, base)) for base in contexts}
    read_at = epoch_seconds()
    superiors = {
        base: superior
        for base, values in found.items()
        if not values and (superior := superior_with_csn(session, base))
    }
    is_provider = None if any(found.values()) or superiors else _is_provider(session)
    return Facts(found, read_at, superiors, is_provider, poll_intervals(session, contexts))


def _is_provider(session: Session) -> bool:
    """Return whether the root DSE names the Sync Request control (RFC 4533 2.2)."""
    return SYNC_REQUEST in session.root_dse().get("supportedcontrol", ())


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the standing of one server among all that can be read, for each naming context."""
    bases = params.contexts(view.server)
    reference = params.compared_with(view.server.cluster)
    limits = _limits(view, params)
    for base in bases:
        context = StandingContext(
            limits=limits,
            reference=reference,
            base=base if len(params.bases) > 1 else "",
            poll_interval_seconds=_poll_interval_seconds(view, base),
            one_shot=view.one_shot,
            writers=view.writers,
        )
        for state, code, summary, metrics, trust in _judged(view, params, base, context):
            yield view.finding(state, code, context.prefixed(summary), metrics, trust)


def _judged(
    view: View[Facts], params: Params, base: str, context: StandingContext
) -> Sequence[FindingParts]:
    try:
        own_vector = vector(view.facts, base)
    except CSNError as error:
        return [(State.WARNING, "bad_csn", str(error), (), Trust.SOFT)]
    if not own_vector:
        return [_without_csn(view, params, base, context)]
    terms = _terms(view, params, context.limits)
    retired, reference = terms.retired, terms.reference
    reads = reads_now(view.observations, base)
    standing = standing_of(view.server.id, reads, terms)
    metrics = tuple(standing_metrics(context, standing))
    observed, limits = view.facts.observed_epoch_seconds, params.future_seconds
    behind = standing.behind_seconds
    own = [] if view.is_growing and not behind else own_reads(view.own, base)
    went_back = {} if view.is_growing else regressed(own, retired)
    of_cluster = regressions_of(view.observations, view.servers, base, retired) if went_back else {}
    acceptance = Acceptance(view.server.cluster, params.baseline_seconds)
    found = [
        *standing_findings(context, standing, metrics, own),
        *regression_findings(went_back, of_cluster, acceptance, metrics),
        *future_findings(context, own_vector, observed, limits, retired),
    ]
    name = reference_name(reference)
    if reference.mode is ReferenceMode.SERVER and reference.server not in reads:
        summary = (
            f"nothing to compare with: the reference server {name} cannot be read, or is not a "
            "server of this cluster"
        )
        found.append((State.UNKNOWN, "no_reference", summary, metrics, Trust.LOCAL))
    summary = OK_SUMMARIES[reference.mode].format(name) + context.poll_text
    ok = (State.OK, "ok", summary, metrics, Trust.SOFT)
    return [each for each in found if each[0] is not State.OK] or [ok]


def _without_csn(
    view: View[Facts], params: Params, base: str, context: StandingContext
) -> FindingParts:
    """Judge a server that shows no CSN.

    If all others show one to the same account, it has received nothing: a consumer whose first
    refresh never ended has entries, but no contextCSN.
    """
    reads = _reads_beside_bare(view, base)
    if reads:
        own = [*reads[view.server.id]]
        terms = _terms(view, params, context.limits)
        standing = standing_of(view.server.id, reads, terms)
        began = own[-1].seen_at_seconds - own[-1].duration_seconds
        began -= context.poll_interval_seconds
        most = max(0.0, began - own[0].seen_at_seconds)
        proven = {sid: min(most, each) for sid, each in standing.behind_seconds.items()}
        seconds = max(proven.values(), default=0.0)
        if context.limits.state(seconds) is not State.OK:
            summary = (
                f"has received nothing for {context.lasting([seconds])}: it shows no {ATTRIBUTE}, "
                "and all others show one to the same account; its first refresh has not ended"
            )
            metrics = tuple(standing_metrics(context, replace(standing, behind_seconds=proven)))
            return context.limits.state(seconds), "behind", summary, metrics, Trust.SOFT
    if _is_without_replication(view):
        summary = (
            "no server supports replication by content synchronization (RFC 4533), and none is a "
            "consumer"
        )
        return State.OK, "not_applicable", summary, (), Trust.SOFT
    summary = f"no {ATTRIBUTE} can be read: no replication, or no right to read it"
    if superior := view.facts.superiors.get(base):
        summary = (
            f"no {ATTRIBUTE} at {printable(base)}, but at {printable(superior)}, as for a glued "
            "database (`subordinate` in slapd.conf(5)): set that as `base`"
        )
    return State.UNKNOWN, "no_csn", summary, (), Trust.LOCAL


def _is_without_replication(view: View[Facts]) -> bool:
    """Return whether no server shows contextCSN, none can be a provider, and none is a consumer."""
    if any(each.role is Role.CONSUMER for each in view.servers):
        return False
    newest = (seen[-1].facts for seen in view.observations.values() if seen)
    return all(facts is None or facts.is_provider is False for facts in newest)


def _reads_beside_bare(view: View[Facts], base: str) -> dict[str, Reversible[VectorRead]]:
    """Return the reads if this server alone shows no CSN to the account of all; else none."""
    accounts = {each.id: each.credentials for each in view.servers}
    compared = {accounts.get(server) for server in view.observations}
    if len(compared) > 1:
        return {}
    return reads_beside_bare(view.observations, base, view.server.id)


def new_baseline(view: View[Facts], params: Params, at_once: bool) -> NewBaseline[Facts] | None:
    """Return what replaces what the servers had, once it is accepted that they went back.

    By itself only if this server went back, and most servers have agreed for long enough.
    """
    retired = frozenset(params.retired_server_ids)
    bases = params.contexts(view.server)
    if at_once:
        bases = tuple(
            dict.fromkeys(base for each in view.servers for base in params.contexts(each))
        )
    elif not any(view.own and regressed(own_reads(view.own, base), retired) for base in bases):
        return None
    return baseline_of(
        {
            base: {
                sid: each
                for sid, each in regressions_of(
                    view.observations, view.servers, base, retired
                ).items()
                if (each.can_be_accepted if at_once else each.is_agreed(params.baseline_seconds))
            }
            for base in bases
        }
    )


def validate(cluster: CheckedCluster, params: Params) -> Iterator[tuple[str, str]]:
    """Yield the settings that cannot work in this cluster, with a message."""
    pause = cluster.second_look_seconds
    if not params.proves_within(pause):
        limit = f"less than {pause:g} s, the time between the two reads (second_look_seconds)"
        yield "behind_second_look", f"must alert on {limit}"
    contexts = params.bases or (params.base,)
    for server in cluster.servers:
        if not any(map(server.holds, contexts)):
            yield "", f"the `bases` of server {server.name} contain no naming context of this check"
    named, servers = SERVER.fullmatch(params.reference), [each.name for each in cluster.servers]
    if named and named[1] not in servers:
        yield "reference", f"the cluster has no server {named[1]!r}{suggestion(named[1], servers)}"


def second_look(view: View[Facts], params: Params) -> bool:
    """Return whether this server lacks a change that another server was seen to have.

    What it lacks of a naming context that it polls proves nothing within a moment.
    """
    for base in params.contexts(view.server):
        if _poll_interval_seconds(view, base):
            continue
        reads = reads_now(view.observations, base)
        vectors = {server: next(reversed(seen)).vector for server, seen in reads.items()}
        now = counted(vectors, consumers(view.servers))
        own = now.get(view.server.id)
        if own is None and _reads_beside_bare(view, base):
            return True
        if own is not None and any(
            lacks(own, other, params.retired_server_ids) for other in now.values()
        ):
            return True
    return False


def _poll_interval_seconds(view: View[Facts], base: str) -> float:
    """Return the time between two polls of the server that is judged, 0 without polls."""
    seconds = polled_every_seconds(view.own, base)
    return max(view.server.poll_interval_seconds, seconds)


def _terms(view: View[Facts], params: Params, limits: Thresholds) -> Terms:
    """Return on what terms the servers are compared to judge one of them by these thresholds."""
    own = view.configured.own_params if view.configured else {}
    tolerances = {
        server: _patience_seconds(_limits(view, each))
        for server, each in own.items()
        if server != view.server.id
    }
    return params.terms(view.server.cluster, view.servers, limits, tolerances)


def _limits(view: View[Facts], params: Params) -> Thresholds:
    """Return the thresholds for a server that is behind; in one-shot use the pause bounds them.

    A moment proves nothing of a server that may by its own settings be behind for longer.
    """
    if not view.one_shot:
        return params.behind
    usual = view.configured.params.behind if view.configured else params.behind
    is_patient = _patience_seconds(params.behind) > _patience_seconds(usual)
    if is_patient and params.behind_second_look == SECOND_LOOK:
        return Thresholds()
    reads = [each for each in view.own if each.facts is not None]
    if params.behind_second_look != SECOND_LOOK or len(reads) < 2:  # noqa: PLR2004  two reads
        return params.behind_second_look
    pause = reads[-1].started_at - reads[0].ended_at
    return Thresholds(critical=Range(end=min(0.5, max(0.0, pause / 2))))


def _tolerance_seconds(limits: Thresholds) -> float:
    """Return the seconds that normal replication may take: the lowest time that alerts, or 0."""
    return 0.0 if limits == Thresholds() else _patience_seconds(limits)


def _patience_seconds(limits: Thresholds) -> float:
    """Return the lowest time that alerts; infinity if none does."""
    alerting = [each for each in (limits.warning, limits.critical) if each is not None]
    return min((each.start if each.inside_alerts else each.end for each in alerting), default=inf)


CHECK = Check(
    name="replication",
    params=Params,
    facts=Facts,
    requests=requests,
    observe=observe,
    judge=judge,
    of_one_server=True,
    effect=CheckEffect.OUT,
    second_look=second_look,
    covers=grew,
    judges_older_times=False,
    select_kept=select_kept,
    new_baseline=new_baseline,
    validate=validate,
    server_settings=("behind", "behind_second_look", "future_seconds"),
    judged_settings=(
        "behind",
        "retired_server_ids",
        "reference",
        "future_seconds",
        "baseline_seconds",
    ),
    judged_metrics={"behind": ("behind_seconds", "isolated_seconds", "split_seconds")},
    names_writers=True,
    bound_because="it compares what all servers show in the same round",
)
