"""The settings of another file, for what was observed by those of the time. Pure.

The journal has what the probes of the time saw. So of the other file only what judges counts: the
settings of a shadow (`config/shadow.py`). What would have probed otherwise is named, and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.config.shadow import SETTLE, attribute_names, judged_settings
from ldaphealth.settings import Cluster, ConfiguredCheck, Settle
from ldaphealth.text.listed import listed

MOST_NAMES = 6


class OtherSettings(Struct, frozen=True):
    """A cluster as it was observed, with other settings that judge; `left_out` says what was not.

    A phrase of `left_out` names what the other file has, and why that cannot be tried.
    """

    cluster: Cluster
    left_out: tuple[str, ...] = ()


def with_other_settings(observed: Cluster, other: Cluster) -> OtherSettings:
    """Return the cluster of the time of observation, judged by the other one."""
    servers = {each.name: each for each in other.servers}
    kept = tuple(
        replace(each, weight=servers[each.name].weight)
        for each in observed.servers
        if each.name in servers
    )
    checks = {each.name: each for each in other.checks}
    judged = replace(
        observed,
        servers=kept,
        checks=tuple(
            _check(each, checks[each.name], other)
            for each in observed.checks
            if each.name in checks and checks[each.name].check is each.check
        ),
        settle=_settle(observed.settle, other.settle),
        min_in_service=min(other.min_in_service, len(kept)),
        shadow=None,
    )
    return OtherSettings(judged, tuple(_left_out(observed, other)))


def _check(observed: ConfiguredCheck, other: ConfiguredCheck, cluster: Cluster) -> ConfiguredCheck:
    keys = _attributes(observed)
    own = {
        server.id: _judged(keys, observed.params_of(server), other.params_of(server))
        for server in cluster.servers
        if observed.own_params or other.own_params
    }
    params = _judged(keys, observed.params, other.params)
    return replace(observed, params=params, own_params=own, effect=other.effect)


def _attributes(configured: ConfiguredCheck) -> list[str]:
    """Return the settings that only judge, by their names in the struct."""
    names = attribute_names(configured.check.params)
    return [names[key] for key in judged_settings(configured.check)]


def _judged(keys: list[str], observed: Any, other: Any) -> Any:
    return replace(observed, **{key: getattr(other, key) for key in keys})


def _settle(observed: Settle, other: Settle) -> Settle:
    return replace(observed, **{key: getattr(other, key) for key in SETTLE})


def _left_out(observed: Cluster, other: Cluster) -> Iterator[str]:
    before, after = ({each.name: each for each in of.checks} for of in (observed, other))
    new = [name for name, each in after.items() if not _has_kind(before.get(name), each)]
    if new:
        yield f"not observed at that time: {_checks(new)}"
    here, there = ({each.name for each in of.servers} for of in (observed, other))
    if there - here:
        yield f"not observed at that time: {_servers(sorted(there - here))}"
    if here - there:
        yield f"not in the other file: {_servers(sorted(here - there))}"
    changed = [
        f"{name}.{key}"
        for name, each in after.items()
        if name not in new
        for key in _probing_differences(before[name], each)
    ]
    if changed:
        yield f"as at that time, because the probes would be others: {listed(changed, MOST_NAMES)}"


def _has_kind(one: ConfiguredCheck | None, other: ConfiguredCheck) -> bool:
    return one is not None and one.check is other.check


def _probing_differences(observed: ConfiguredCheck, other: ConfiguredCheck) -> list[str]:
    judged = judged_settings(observed.check)
    return [
        key
        for key, name in attribute_names(observed.check.params).items()
        if key not in judged and getattr(observed.params, name) != getattr(other.params, name)
    ]


def _checks(names: list[str]) -> str:
    return f"{'check' if len(names) == 1 else 'checks'} {listed(names, MOST_NAMES)}"


def _servers(names: list[str]) -> str:
    return f"{'server' if len(names) == 1 else 'servers'} {listed(names, MOST_NAMES)}"
