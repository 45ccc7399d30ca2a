"""One look on demand, as Prometheus asks for it: `/probe?target=CLUSTER/SERVER&module=search`.

https://prometheus.io/docs/guides/multi-target-exporter/. It is the only question that causes LDAP
traffic, and a GET changes nothing: checks that write are left out, because they would also meet the
agent's own write to the same canary. A target is a name in the configuration and never a URL:
whoever may ask could otherwise have the configured password sent to a host of his choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks import SESSION
from ldaphealth.guard import Memory, Override, rule_named
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.live.live_state import LiveState, LiveView
from ldaphealth.model import AnyObservation, Server, Snapshot, Verdict
from ldaphealth.prometheus import Probed, exposition_of_probe
from ldaphealth.publishers.publication import Publication
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck, Settings
from ldaphealth.sinks import SINKS, SinkOptions
from ldaphealth.tasks.one_shot import Probe, evaluate
from ldaphealth.text.suggestion import suggestion
from ldaphealth.web.source import BadRequestError

WRITING = frozenset({"write"})
TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
OFFSET_SECONDS = 0.5  # of the scrape's timeout, for everything but the look
MOST_SECONDS = 25.0  # of a look: an answer that takes much longer is cut (http_connection.py)
LONGEST_NAME = 129  # CLUSTER/SERVER: config/shape.py
PLAIN = "text/plain; charset=utf-8"
DEBUG_COLUMNS = 120

NOBODY: Mapping[str, Override] = {}


class ProbeResponse(Struct, frozen=True):
    """What goes out by HTTP."""

    content_type: str
    body: bytes


def probe_target(
    settings: Settings,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    overrides: Mapping[str, Override] = NOBODY,
    probe: Probe = probe_server,
) -> ProbeResponse:
    """Look at a target now and answer with its metrics; BadQuestionError says what is wrong.

    `params`: `target` is CLUSTER or CLUSTER/SERVER, `module` names of checks with commas between
    (default: all that do not write), `debug=true` shows the findings to a person instead. `headers`
    have names in lower case. It takes the cluster's deadline, or what Prometheus leaves if that is
    less. `overrides` are operators' words by server ID. Blocks; the caller bounds how many.
    """
    cluster, servers = _target(settings, params.get("target", ""))
    asked = _only(cluster, params.get("module", ""))
    left = _left_seconds(headers.get(TIMEOUT_HEADER, ""))
    seconds = min(asked.deadline_seconds, left, MOST_SECONDS)
    began = monotonic()
    snapshot, seen = _probe(asked.within(seconds), overrides, probe)
    verdicts = tuple(each for each in snapshot.verdicts if each.server in servers)
    if params.get("debug") == "true":
        told = SINKS["text"].render(
            replace(snapshot, verdicts=verdicts), SinkOptions(width=DEBUG_COLUMNS, verbose=True)
        )
        return ProbeResponse(PLAIN, f"{told.text}\n".encode())
    good = all(_is_good(each, seen) for each in verdicts)
    probed = Probed(good, monotonic() - began)
    view = _view(cluster.name, replace(snapshot, verdicts=verdicts), seen)
    body, content_type = exposition_of_probe(view, probed, headers.get("accept", ""))
    return ProbeResponse(content_type, body)


def _target(settings: Settings, target: str) -> tuple[Cluster, frozenset[str]]:
    """Return the cluster to look at, always whole, and the IDs of the servers asked about."""
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
        f"no target {target[:LONGEST_NAME]!a}: it is CLUSTER or CLUSTER/SERVER of the "
        f"configuration, never a URL{hint}"
    )


def _only(cluster: Cluster, module: str) -> Cluster:
    """Return the cluster with the checks that are wanted, and the steps of every session."""
    harmless = [each for each in cluster.round_checks if each.check.name not in WRITING]
    known = [each.check.name for each in harmless]
    wanted = module.split(",") if module else known
    for name in wanted:
        if name in WRITING:
            raise BadRequestError(f"module {name}: a probe changes nothing, so it never writes")
        if name not in known:
            hint = suggestion(name, known) if len(name) <= LONGEST_NAME else ""
            raise BadRequestError(
                f"no module {name[:LONGEST_NAME]!a}: it is a check of the cluster, or several with "
                f"commas between{hint}"
            )
    chosen = (each for each in harmless if each.check.name in SESSION.union(wanted))
    return replace(cluster, checks=tuple(chosen))


def _left_seconds(header: str) -> float:
    """Return what Prometheus leaves for the look; no header: no bound of its own."""
    if not header:
        return inf
    try:
        seconds = float(header)
    except ValueError:
        seconds = 0.0
    if not isfinite(seconds) or seconds <= 0:
        raise BadRequestError(f"{TIMEOUT_HEADER} {header[:32]!a} is no number of seconds")
    return seconds - OFFSET_SECONDS if seconds > 2 * OFFSET_SECONDS else seconds / 2


def _is_good(verdict: Verdict, seen: Iterable[AnyObservation]) -> bool:
    """Return whether a server serves by what was seen of it: a bind at least must have succeeded.

    A server that only a rule keeps in service is no success, unless the rule does an operator's
    will.
    """
    bound = any(
        each.server == verdict.server and each.check == "bind" and each.failure is None
        for each in seen
    )
    rule = rule_named(verdict.held_by)
    is_wanted = rule is not None and rule.is_operators_will
    return bound and verdict.in_service and (verdict.plain or is_wanted)


def _probe(
    cluster: Cluster, overrides: Mapping[str, Override], probe: Probe
) -> tuple[Snapshot, Sequence[AnyObservation]]:
    seen: list[AnyObservation] = []

    def noting(
        server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        found = probe(server, checks, deadline)
        seen.extend(found)
        return found

    said = {server: word for server, word in overrides.items() if server in _ids(cluster)}
    memory = {cluster.name: Memory(overrides=said)}
    snapshot = evaluate([cluster], probe=noting, overrides=memory)
    return snapshot, tuple(seen)


def _ids(cluster: Cluster) -> frozenset[str]:
    return frozenset(server.id for server in cluster.servers)


def _view(cluster: str, snapshot: Snapshot, seen: Iterable[AnyObservation]) -> LiveView:
    """Return the view of a board that knows this look alone.

    A second look opens a session of its own, which must not make the first one look out of date.
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
    board = LiveState()
    board.publish(Publication(cluster, verdicts, dict.fromkeys(verdicts, inf), (), kept))
    return board.view
