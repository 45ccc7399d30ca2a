"""What the tables of the judges are made of: observations, the view of them, and opinions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from ldaphealth.check import View
from ldaphealth.checks import BUILT_IN
from ldaphealth.model import CheckEffect, Failure, Finding, Observation, Role, Server, State, Trust
from ldaphealth.settings import Cluster, ConfiguredCheck

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
HARD, SOFT, TOLD, OURS = Trust.HARD, Trust.SOFT, Trust.INFORMATIVE, Trust.LOCAL

Opinion = tuple[str, State, Trust]
FINE: Opinion = ("ok", OK, SOFT)


class Case(Struct, frozen=True):
    """One row of a table: what was seen, the settings, and the opinions it must give."""

    view: View
    params: Any
    expected: tuple[Opinion, ...]


def server(name: str = "s0", role: Role = Role.PROVIDER) -> Server:
    return Server(cluster="c", name=name, uri="ldap://127.0.0.1", role=role)


def saw(  # noqa: PLR0913  the fields of an observation
    check: str,
    facts: Mapping[str, object] | None = None,
    *,
    of: str = "s0",
    at: float = 0.0,
    took: float = 0.0,
    timings: Mapping[str, float] | None = None,
    failure: Failure | None = None,
) -> Observation:
    return Observation(f"c/{of}", check, at, took, facts or {}, timings or {}, failure)


def view(*observations: Observation, of: str = "s0", one_shot: bool = False) -> View:
    """Return the view of one server on observations of one check, in the order they were made."""
    seen: dict[str, tuple[Observation, ...]] = {}
    for each in observations:
        seen[each.server] = (*seen.get(each.server, ()), each)
    return View(server(of), observations[0].check, seen, one_shot)


def judged(seen: View, params: object) -> tuple[Finding, ...]:
    """Return what the built-in check of the view's name finds."""
    return tuple(BUILT_IN[seen.check].judge(seen, params))


def wants_more(seen: View, params: object) -> bool:
    """Tell whether that check wants a second look."""
    return BUILT_IN[seen.check].second_look(seen, params)


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
