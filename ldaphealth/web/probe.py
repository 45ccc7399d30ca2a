"""A probe on demand for Prometheus: `/probe?target=CLUSTER/SERVER&module=search`.

https://prometheus.io/docs/guides/multi-target-exporter/. It is the only route that causes LDAP
traffic. A GET changes nothing, so checks that write are left out. They would also conflict with the
writes of the agent to the same canary. A target is a name in the configuration, not a URL: a client
could otherwise have the configured password sent to a host of its choice.

Here are the request and the response. probe_rounds.py decides what is probed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks import SESSION
from ldaphealth.guard import rule_named
from ldaphealth.live.live_state import LiveState, LiveView
from ldaphealth.model import AnyObservation, Snapshot, Verdict
from ldaphealth.prometheus import Probed, exposition_of_probe
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import Cluster, Settings
from ldaphealth.sinks import SINKS, SinkOptions
from ldaphealth.text.suggestion import suggestion
from ldaphealth.web.source import BadRequestError

WRITING = frozenset({"write"})
TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
OFFSET_SECONDS = 0.5  # of the scrape's timeout, for everything but the probe
MOST_SECONDS = 25.0  # for a probe: an answer that takes much longer is cut (http_connection.py)
LONGEST_NAME = 129  # CLUSTER/SERVER: config/shape.py
PLAIN = "text/plain; charset=utf-8"
DEBUG_COLUMNS = 120


class ProbeRequest(Struct, frozen=True, kw_only=True):
    """A valid request: some servers of a cluster, which has only the checks to run.

    `configured` is the cluster as configured. A probe may take `seconds`, and the whole answer
    `left_seconds`.
    """

    configured: Cluster
    cluster: Cluster
    servers: frozenset[str]
    seconds: float
    left_seconds: float
    is_debug: bool = False
    accept: str = ""


class ProbeResult(Struct, frozen=True, kw_only=True):
    """What a probe found: the verdicts and observations of the servers that were probed."""

    snapshot: Snapshot
    seen: Sequence[AnyObservation]
    duration_seconds: float


class ProbeResponse(Struct, frozen=True):
    """The HTTP response."""

    content_type: str
    body: bytes


def read_request(
    settings: Settings, params: Mapping[str, str], headers: Mapping[str, str]
) -> ProbeRequest:
    """Return the request. BadRequestError: the parameters are wrong.

    `params`: `target` is CLUSTER or CLUSTER/SERVER, `module` is a comma-separated list of checks
    (default: all that do not write), `debug=true` returns the findings as a text instead. `headers`
    have names in lower case. A probe takes the deadline of the cluster at most, or until the
    timeout of Prometheus if that is earlier.
    """
    cluster, servers = _target(settings, params.get("target", ""))
    selected = _with_checks(cluster, params.get("module", ""))
    left = min(_left_seconds(headers.get(TIMEOUT_HEADER, "")), MOST_SECONDS)
    return ProbeRequest(
        configured=cluster,
        cluster=selected,
        servers=servers,
        seconds=min(selected.deadline_seconds, left),
        left_seconds=left,
        is_debug=params.get("debug") == "true",
        accept=headers.get("accept", ""),
    )


def render(request: ProbeRequest, result: ProbeResult) -> ProbeResponse:
    """Return the metrics of the requested servers, or the findings on them as a text."""
    verdicts = tuple(each for each in result.snapshot.verdicts if each.server in request.servers)
    snapshot = replace(result.snapshot, verdicts=verdicts)
    if request.is_debug:
        options = SinkOptions(width=DEBUG_COLUMNS, verbose=True)
        return ProbeResponse(PLAIN, f"{SINKS['text'].render(snapshot, options).text}\n".encode())
    seen = [each for each in result.seen if each.server in request.servers]
    good = len(verdicts) == len(request.servers) and all(_is_good(each, seen) for each in verdicts)
    view = _view(request.cluster.name, snapshot, seen)
    probed = Probed(good, result.duration_seconds)
    body, content_type = exposition_of_probe(view, probed, request.accept)
    return ProbeResponse(content_type, body)


def _target(settings: Settings, target: str) -> tuple[Cluster, frozenset[str]]:
    """Return the cluster, and the IDs of the requested servers."""
    if not target:
        raise BadRequestError("target is missing; it is CLUSTER or CLUSTER/SERVER")
    name, _, server = target.partition("/")
    cluster = settings.clusters.get(name)
    known = {each.id for each in cluster.servers} if cluster else set()
    if cluster and not server and target == name:
        return cluster, frozenset(known)
    if cluster and target in known:
        return cluster, frozenset({target})
    every = [*settings.clusters] + [s.id for c in settings.clusters.values() for s in c.servers]
    hint = suggestion(target, every) if len(target) <= LONGEST_NAME else ""
    raise BadRequestError(
        f"no target {target[:LONGEST_NAME]!a}: it must be CLUSTER or CLUSTER/SERVER of the "
        f"configuration, not a URL{hint}"
    )


def _with_checks(cluster: Cluster, module: str) -> Cluster:
    """Return the cluster with the requested checks, and the steps of every session."""
    reading = [each for each in cluster.round_checks if each.check.name not in WRITING]
    known = [each.name for each in reading]
    requested = module.split(",") if module else known
    for name in requested:
        if name in WRITING:
            raise BadRequestError(f"module {name}: it writes, and a probe must change nothing")
        if name not in known:
            hint = suggestion(name, known) if len(name) <= LONGEST_NAME else ""
            raise BadRequestError(
                f"no module {name[:LONGEST_NAME]!a}: it must be a check of the cluster, or a "
                f"comma-separated list of them{hint}"
            )
    chosen = (each for each in reading if each.name in SESSION.union(requested))
    return replace(cluster, checks=tuple(chosen))


def _left_seconds(header: str) -> float:
    """Return the seconds that Prometheus leaves for the probe; infinity without the header."""
    if not header:
        return inf
    try:
        seconds = float(header)
    except ValueError:
        seconds = 0.0
    if not isfinite(seconds) or seconds <= 0:
        raise BadRequestError(
            f"{TIMEOUT_HEADER} {header[:32]!a} is not a number of seconds above 0"
        )
    return seconds - OFFSET_SECONDS if seconds > 2 * OFFSET_SECONDS else seconds / 2


def _is_good(verdict: Verdict, seen: Iterable[AnyObservation]) -> bool:
    """Return whether the probe of a server succeeded. At least a bind must have succeeded.

    A server that only a rule keeps in service is no success, unless the rule executes an order of
    an operator.
    """
    bound = any(
        each.server == verdict.server and each.check == "bind" and each.failure is None
        for each in seen
    )
    rule = rule_named(verdict.held_by)
    is_ordered = rule is not None and rule.is_operators_will
    return bound and verdict.in_service and (verdict.plain or is_ordered)


def _view(cluster: str, snapshot: Snapshot, seen: Iterable[AnyObservation]) -> LiveView:
    """Return the view of a live state that has this probe only.

    A second look opens a session of its own. Its steps must not replace those of the first session.
    """
    verdicts = {each.server: each for each in snapshot.verdicts}
    opened: set[tuple[str, str]] = set()
    kept: list[AnyObservation] = []
    for each in seen:
        if each.check in SESSION:
            if (each.server, each.check) in opened:
                continue
            opened.add((each.server, each.check))
        kept.append(each)
    live_state = LiveState()
    live_state.publish(
        Publication(
            cluster=cluster,
            verdicts=verdicts,
            due=dict.fromkeys(verdicts, inf),
            changes=(),
            seen=kept,
        )
    )
    return live_state.view
