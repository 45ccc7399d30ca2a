"""A file of the right shape into clusters, with the mistakes that only the whole shows.

`config.load` calls `clusters` once; it reads the files that the configuration names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from ldaphealth.check import AnyCheck
from ldaphealth.checks import BUILT_IN, LAST, OFF_WITHOUT_SETTINGS, SESSION
from ldaphealth.config.fill import fill, fill_struct
from ldaphealth.config.mistakes import Problems
from ldaphealth.config.shape import ClusterEntry, CredentialsEntry, File, ServerEntry
from ldaphealth.files.secret_file import read_secret, secret_of
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import BindMethod, CheckEffect, Credentials, Server, ServerSettings, Tls
from ldaphealth.settings import SECOND_LOOK_PART, Cluster, ClusterSettings, ConfiguredCheck
from ldaphealth.text.suggestion import suggestion

SECOND_LOOK_SECONDS = 1.0
OFF = ("off", False)
ON = (None, True)  # a check with nothing to say of it

Finder = Callable[[str], AnyCheck]


def clusters(file: File, finder: Finder, problems: Problems) -> dict[str, Cluster]:
    """Return the clusters by name; with problems they must not be used."""
    known = {
        name: _credentials(f"credentials.{name}", each, problems)
        for name, each in file.credentials.items()
    }
    built: dict[str, Cluster] = {}
    for name, each in file.clusters.items():
        path = f"clusters.{name}"
        built[name] = cluster = Cluster(
            name=name,
            servers=_servers(path, name, each, known, problems),
            checks=_checks(f"{path}.checks", each.checks, finder, problems),
            min_in_service=_floor(path, each, problems),
            second_look_seconds=_second_look_seconds(path, each, problems),
            **_inherited(ClusterSettings, each),
        )
        _validate(path, cluster, problems)
    return built


def _inherited(base: type[Struct], entry: Struct) -> dict[str, Any]:
    """Return the settings of an entry that are used as the file has them."""
    return {name: getattr(entry, name) for name in base.__struct_fields__}


def _credentials(path: str, given: CredentialsEntry, problems: Problems) -> Credentials:
    method = given.method
    if method is not BindMethod.SIMPLE:
        return Credentials(method=method)
    if bool(given.password_file) == bool(given.password_env):
        return Credentials()
    key = "password_env" if given.password_env else "password_file"
    try:
        if given.password_env:
            secret = secret_of(given.password_env, os.environ)
        else:
            secret = read_secret(Path(given.password_file))
    except ValueError as error:
        problems.add(f"{path}.{key}", str(error))
        return Credentials()
    return Credentials(method=method, dn=given.dn, password=secret)


def _floor(path: str, given: ClusterEntry, problems: Problems) -> int:
    count = len(given.servers)
    floor = (count + 1) // 2 if given.min_in_service is None else given.min_in_service
    if floor > count:
        problems.add(f"{path}.min_in_service", f"must be at most {count}, the number of servers")
    return floor


def _second_look_seconds(path: str, given: ClusterEntry, problems: Problems) -> float:
    most = given.deadline_seconds * SECOND_LOOK_PART
    if given.second_look_seconds is None:
        return min(SECOND_LOOK_SECONDS, most)
    if given.second_look_seconds > most:
        problems.add(
            f"{path}.second_look_seconds", f"must be at most {most:g}, 0.6 of the deadline"
        )
    return given.second_look_seconds


def _validate(path: str, cluster: Cluster, problems: Problems) -> None:
    """Add the settings of checks that cannot work in this cluster.

    A cluster with a mistake in its servers may lack one that the settings name; then none is added.
    """
    if problems.has_below(f"{path}.servers"):
        return
    for configured in cluster.checks:
        validate, params = configured.check.validate, configured.params
        if validate is not None and params is not UNSET:
            here = f"{path}.checks.{configured.check.name}"
            problems.add_each(here, validate(cluster, params))


def _servers(
    path: str,
    cluster: str,
    given: ClusterEntry,
    known: Mapping[str, Credentials],
    problems: Problems,
) -> tuple[Server, ...]:
    _check_tls(f"{path}.tls", given.tls, problems)
    _check_name(f"{path}.credentials", given.credentials, known, problems)
    servers = []
    names: dict[str, str] = {}  # by URI
    for name, each in given.servers.items():
        here = f"{path}.servers.{name}"
        entry = ServerEntry(uri=each) if isinstance(each, str) else each
        tls = entry.tls or given.tls
        _check_uri(f"{here}.uri", entry.uri, tls, problems)
        if entry.uri in names:
            problems.add(f"{here}.uri", f"is the same as that of {names[entry.uri]}")
        names.setdefault(entry.uri, name)
        if entry.tls:
            _check_tls(f"{here}.tls", entry.tls, problems)
        _check_name(f"{here}.credentials", entry.credentials, known, problems)
        servers.append(
            Server(
                cluster=cluster,
                name=name,
                suffix=given.suffix,
                credentials=known.get(entry.credentials or given.credentials, Credentials()),
                tls=tls,
                **_inherited(ServerSettings, entry),
            )
        )
    return tuple(servers)


def _check_name(path: str, name: str, known: Mapping[str, object], problems: Problems) -> None:
    if name and name not in known:
        problems.add(path, f"{name!r} is not under credentials{suggestion(name, known)}")


def _check_uri(path: str, uri: str, tls: Tls, problems: Problems) -> None:
    try:
        if parse_uri(uri).is_tls and tls.start_tls:
            problems.add(path, "ldaps:// and tls.start_tls exclude each other")
    except ValueError as error:
        problems.add(path, str(error))


def _check_tls(path: str, given: Tls, problems: Problems) -> None:
    if any(given.find_mistakes()) or not (given.ca_file or given.certificate_file):
        return  # nothing to read; the system's authorities would take 50 ms
    from ldaphealth.ldap.deadline import SessionError  # noqa: PLC0415  rarely needed
    from ldaphealth.ldap.transport import tls_context  # noqa: PLC0415

    try:
        tls_context(given)
    except SessionError as error:
        problems.add(path, error.failure.detail)


def _checks(
    path: str, given: Mapping[str, Any], finder: Finder, problems: Problems
) -> tuple[ConfiguredCheck, ...]:
    """Return the checks in the order of a session: built-in ones without settings are on."""
    free = (name for name in BUILT_IN if name not in OFF_WITHOUT_SETTINGS)
    wanted = dict.fromkeys(free, None) | dict(given)
    configured: list[ConfiguredCheck] = []
    for name, settings in wanted.items():
        if settings in OFF:
            if name in SESSION:
                problems.add(f"{path}.{name}", "every session has this step; it cannot be off")
            continue
        try:
            found = finder(name)
        except LookupError as error:
            problems.add(f"{path}.{name}", str(error.args[0]))
            continue
        configured.append(_configured(found, settings, f"{path}.{name}", problems))
    order = [*BUILT_IN]
    middle = order.index(LAST) - 0.5
    places = {name: float(place) for place, name in enumerate(order)}
    return tuple(sorted(configured, key=lambda each: places.get(each.check.name, middle)))


def _configured(found: AnyCheck, settings: Any, path: str, problems: Problems) -> ConfiguredCheck:
    settings = {} if settings in ON else settings
    params = fill_struct(found.params, settings, path, problems, beside=["effect"])
    effect = found.effect
    if isinstance(settings, dict) and "effect" in settings:
        effect = fill(CheckEffect, settings["effect"], f"{path}.effect", problems)
    return ConfiguredCheck(found, params, effect)
