"""Read the settings of checks that a server has of its own, in place of those of the cluster.

build.py calls `with_own_params`. A check names the settings that a server may have
(`Check.own_settings`); all others, the effect and whether a check is on are of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.config.fill import build_struct, fill_some
from ldaphealth.config.mistakes import Problems, join
from ldaphealth.config.named_checks import COMMON
from ldaphealth.config.shape import ClusterEntry, ServerEntry
from ldaphealth.model import Role
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.suggestion import suggestion


class _Own(Struct, frozen=True, kw_only=True):
    """The settings of one check on one server as in the file, and the place of both."""

    name: str  # of the server
    server: ServerEntry
    check: str
    settings: Any
    place: str
    cluster_place: str  # of the settings of the check for the cluster


def with_own_params(
    path: str,
    cluster: str,
    entry: ClusterEntry,
    checks: tuple[ConfiguredCheck, ...],
    problems: Problems,
) -> tuple[ConfiguredCheck, ...]:
    """Return the checks of a cluster with the settings that servers have of their own."""
    found: dict[str, dict[str, Any]] = {}  # by check and server ID
    configured = {each.name: each for each in checks}
    for own in _own_settings(path, entry):
        if wrong := _refused(own, configured):
            problems.add(own.place, wrong)
            continue
        params = _params(own, configured[own.check], problems)
        if params is not UNSET:
            found.setdefault(own.check, {})[f"{cluster}/{own.name}"] = params
    if not found:
        return checks
    return tuple(replace(each, own_params=found.get(each.name, {})) for each in checks)


def _own_settings(path: str, entry: ClusterEntry) -> Iterator[_Own]:
    """Yield the settings of checks that servers have."""
    for name, server in entry.servers.items():
        if isinstance(server, str):
            continue
        for check, settings in server.checks.items():
            place, of_cluster = f"{path}.servers.{name}.checks.{check}", f"{path}.checks.{check}"
            yield _Own(
                name=name,
                server=server,
                check=check,
                settings=settings,
                place=place,
                cluster_place=of_cluster,
            )


def _refused(own: _Own, configured: Mapping[str, ConfiguredCheck]) -> str:
    """Return why a server cannot have settings of that check at all, or ""."""
    if own.check not in configured:
        if own.check in BUILT_IN:
            return f"the check is off in this cluster; it is turned on at {own.cluster_place}"
        return f"the cluster has no check {own.check!r}{suggestion(own.check, configured)}"
    check = configured[own.check].check
    if wrong := _not_run(own, configured[own.check]):
        return wrong
    if not isinstance(own.settings, dict):
        return f"must be a mapping of settings; on or off is set at {own.cluster_place}"
    if not check.own_settings:
        return f"the check has settings of the whole cluster only; set them at {own.cluster_place}"
    return ""


def _not_run(own: _Own, configured: ConfiguredCheck) -> str:
    """Return why the check is not run on the server, "" if it is."""
    if configured.servers and own.name not in configured.servers:
        return f"the check is not run on this server, by `only` or `except` at {own.cluster_place}"
    if own.server.role is Role.BALANCER and configured.check.of_one_server:
        return "the check is not run on a server with the role balancer"
    return ""


def _params(own: _Own, configured: ConfiguredCheck, problems: Problems) -> Any:
    """Return the settings of the cluster with those of the server in their place, or UNSET."""
    kind, known = configured.check.params, configured.check.own_settings
    for key in own.settings:
        if (key in COMMON and key not in known) or (
            key in kind.__struct_encode_fields__ and key not in known
        ):
            where = join(own.cluster_place, key)
            problems.add(
                join(own.place, key), f"is a setting of the whole cluster; set it at {where}"
            )
        elif key not in known:
            problems.add(join(own.place, key), f"unknown key{suggestion(str(key), known)}")
    wanted = {key: each for key, each in own.settings.items() if key in known}
    values = fill_some(kind, wanted, own.place, problems)
    usual = configured.params
    if usual is UNSET or problems.has_below(own.place) or problems.has_at(own.cluster_place):
        return UNSET
    same = {name: getattr(usual, name) for name in kind.__struct_fields__}
    return build_struct(kind, same | values, own.place, problems)
