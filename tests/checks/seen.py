"""What the tables of the judges are made of: observations, the view of them, and opinions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import fields

from ldaphealth.check import AnyView, View
from ldaphealth.checks import BUILT_IN
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Failure,
    Finding,
    Observation,
    Role,
    Server,
    State,
    Trust,
)
from ldaphealth.settings import Cluster, ConfiguredCheck

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
HARD, SOFT, TOLD, OURS = Trust.HARD, Trust.SOFT, Trust.INFORMATIVE, Trust.LOCAL
EXPECTATION = Trust.EXPECTATION

Opinion = tuple[str, State, Trust]
FINE: Opinion = ("ok", OK, SOFT)


class Case(Struct, frozen=True):
    """One row of a table: what was seen, the settings, and the opinions it must give."""

    view: AnyView
    params: Any
    expected: tuple[Opinion, ...]


def server(name: str = "s0", role: Role = Role.PROVIDER, **settings: Any) -> Server:
    return Server(cluster="c", name=name, uri="ldap://127.0.0.1", role=role, **settings)


class Nothing(Struct, frozen=True):
    """The settings, or the facts, of a check of the tests that has none."""


def facts_of(check: str, given: Mapping[str, object] | Struct | None) -> Struct | None:
    """Return the facts of a check; a mapping is filled into those of a built-in one."""
    if isinstance(given, Struct):
        return given
    if check not in BUILT_IN:
        return Nothing()
    kind: type[Struct] = BUILT_IN[check].facts
    if given is None and any(each.required for each in fields(kind)):
        return None
    return convert(dict(given or {}), kind)


def saw(  # noqa: PLR0913  the fields of an observation
    check: str,
    facts: Mapping[str, object] | Struct | None = None,
    *,
    of: str = "s0",
    at: float = 0.0,
    took: float = 0.0,
    timings: Mapping[str, float] | None = None,
    failure: Failure | None = None,
) -> AnyObservation:
    return Observation(
        server=f"c/{of}",
        check=check,
        started_at=at,
        duration_seconds=took,
        facts=None if failure else facts_of(check, facts),
        timings=timings or {},
        failure=failure,
    )


def view(
    *observations: AnyObservation,
    of: str = "s0",
    one_shot: bool = False,
    servers: Sequence[Server] = (),
) -> AnyView:
    """Return the view of one server on observations of one check, in the order they were made."""
    seen: dict[str, tuple[AnyObservation, ...]] = {}
    for each in observations:
        seen[each.server] = (*seen.get(each.server, ()), each)
    own = next((each for each in servers if each.name == of), server(of))
    return View(own, observations[0].check, seen, one_shot=one_shot, servers=servers)


def judged(seen: AnyView, params: object) -> tuple[Finding, ...]:
    """Return what the built-in check of the view's name finds."""
    return tuple(BUILT_IN[seen.check].judge(seen, params))


def wants_more(seen: AnyView, params: object) -> bool:
    """Tell whether that check wants a second look."""
    second_look = BUILT_IN[seen.check].second_look
    return second_look is not None and second_look(seen, params)


def opinions(findings: Iterable[Finding]) -> tuple[Opinion, ...]:
    return tuple((finding.code, finding.state, finding.trust) for finding in findings)


def cluster(*checks: ConfiguredCheck, servers: int = 1, **settings: Any) -> Cluster:
    """Return a cluster `c` of servers s0, s1 and so on."""
    names = tuple(f"s{n}" for n in range(servers))
    return Cluster(
        name="c", servers=tuple(map(server, names)), checks=checks, min_in_service=0, **settings
    )


def planned(name: str, params: object = None, effect: CheckEffect | None = None) -> ConfiguredCheck:
    """Return a built-in check, by default with its own settings and effect."""
    check = BUILT_IN[name]
    settings = check.params() if params is None else params
    return ConfiguredCheck(check, settings, check.effect if effect is None else effect)
