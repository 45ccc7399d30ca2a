"""A file of the right shape into clusters, with the mistakes that only the whole shows.

`config.load` calls `build` once; it reads the files that the configuration names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ldaphealth import check, model
from ldaphealth.checks import BUILT_IN, LAST, OFF_WITHOUT_SETTINGS, SESSION
from ldaphealth.checks.replication import Params as ReplicationParams
from ldaphealth.config import shape
from ldaphealth.config.fill import Problems, fill, fill_struct
from ldaphealth.config.mistakes import near
from ldaphealth.files.secret_file import read_secret, secret_of
from ldaphealth.ldap.endpoint import Endpoint, parse_listen, parse_uri
from ldaphealth.settings import AgentSettings, HttpSettings

SECOND_LOOK_SECONDS = 1.0
OFF = ("off", False)
ON = (None, True)  # a check with nothing to say of it

Finder = Callable[[str], check.AnyCheck]


def clusters(file: shape.File, finder: Finder, problems: Problems) -> dict[str, check.Cluster]:
    """Return the clusters by name; with problems they must not be used."""
    known = {
        name: _credentials(f"credentials.{name}", each, problems)
        for name, each in file.credentials.items()
    }
    built = {
        name: check.Cluster(
            name,
            _servers(f"clusters.{name}", name, each, known, problems),
            _checks(f"clusters.{name}.checks", each.checks, finder, problems),
            _floor(f"clusters.{name}", each, problems),
            each.deadline_seconds,
            _second_look_seconds(f"clusters.{name}", each, problems),
            each.interval_seconds,
            each.settle,
        )
        for name, each in file.clusters.items()
    }
    for name, cluster in built.items():
        _check_second_look(f"clusters.{name}", cluster, problems)
    return built


def agent(given: shape.Agent, problems: Problems) -> AgentSettings:
    """Return how the agent runs."""
    for key in ("runtime_directory", "state_directory"):
        if not Path(getattr(given, key)).is_absolute():
            problems.add(f"agent.{key}", "must be an absolute path")
    return AgentSettings(
        Path(given.runtime_directory),
        Path(given.state_directory),
        given.socket_group,
        given.threads,
        given.track_files,
        given.history_days,
        given.history_megabytes,
        given.log_format,
        _http(given.http, problems) if given.http else None,
        _listen("agent.haproxy.listen", given.haproxy.listen, problems) if given.haproxy else None,
    )


def _http(given: shape.Http, problems: Problems) -> HttpSettings:
    path = "agent.http"
    if bool(given.user) != bool(given.password_file):
        problems.add(path, "user and password_file go together")
    if ":" in given.user:
        problems.add(f"{path}.user", "must hold no colon (RFC 7617)")
    if given.key_file and not given.certificate_file:
        problems.add(f"{path}.key_file", "needs certificate_file")
    return HttpSettings(
        _listen(f"{path}.listen", given.listen, problems),
        given.certificate_file,
        given.key_file,
        given.user,
        given.password_file,
        given.token_file,
        given.open_health,
    )


def _listen(path: str, text: str, problems: Problems) -> Endpoint:
    try:
        return parse_listen(text)
    except ValueError as error:
        problems.add(path, str(error))
        return Endpoint("tcp", "", 0)


def _credentials(path: str, given: shape.Credentials, problems: Problems) -> model.Credentials:
    if given.method is not model.BindMethod.SIMPLE:
        if given.dn or given.password_file or given.password_env:
            problems.add(path, f"method {given.method} takes no dn and no password")
        return model.Credentials(given.method)
    if not given.dn:
        problems.add(f"{path}.dn", "is missing; method simple binds as a DN")
    if bool(given.password_file) == bool(given.password_env):
        problems.add(path, "say one of password_file and password_env")
        return model.Credentials()
    try:
        if given.password_env:
            secret = secret_of(given.password_env, os.environ)
        else:
            secret = read_secret(Path(given.password_file))
    except ValueError as error:
        problems.add(
            f"{path}.{'password_env' if given.password_env else 'password_file'}", f"{error}"
        )
        return model.Credentials()
    return model.Credentials(model.BindMethod.SIMPLE, given.dn, secret)


def _floor(path: str, given: shape.Cluster, problems: Problems) -> int:
    count = len(given.servers)
    floor = (count + 1) // 2 if given.min_in_service is None else given.min_in_service
    if floor > count:
        problems.add(f"{path}.min_in_service", f"must be at most {count}, the number of servers")
    return floor


def _second_look_seconds(path: str, given: shape.Cluster, problems: Problems) -> float:
    most = given.deadline_seconds * check.SECOND_LOOK_PART
    if given.second_look_seconds is None:
        return min(SECOND_LOOK_SECONDS, most)
    if given.second_look_seconds > most:
        problems.add(
            f"{path}.second_look_seconds", f"must be at most {most:g}, 0.6 of the deadline"
        )
    return given.second_look_seconds


def _check_second_look(path: str, cluster: check.Cluster, problems: Problems) -> None:
    pause = cluster.second_look_seconds
    for planned in cluster.checks:
        params = planned.params
        if isinstance(params, ReplicationParams) and not params.proves_within(pause):
            problems.add(
                f"{path}.checks.{planned.check.name}.behind_second_look",
                f"nobody could be behind: the two looks are {pause:g} s apart "
                "(second_look_seconds), so it must alert on less",
            )


def _servers(
    path: str,
    cluster: str,
    given: shape.Cluster,
    known: Mapping[str, model.Credentials],
    problems: Problems,
) -> tuple[model.Server, ...]:
    _check_tls(f"{path}.tls", given.tls, problems)
    _check_name(f"{path}.credentials", given.credentials, known, problems)
    servers = []
    uris: dict[str, str] = {}
    for name, each in given.servers.items():
        here = f"{path}.servers.{name}"
        server = shape.Server(each) if isinstance(each, str) else each
        tls = server.tls or given.tls
        _check_uri(f"{here}.uri", server.uri, tls, problems)
        if server.uri in uris:
            problems.add(f"{here}.uri", f"is the same as that of {uris[server.uri]}")
        uris.setdefault(server.uri, name)
        if server.tls:
            _check_tls(f"{here}.tls", server.tls, problems)
        _check_name(f"{here}.credentials", server.credentials, known, problems)
        credentials = known.get(server.credentials or given.credentials, model.Credentials())
        servers.append(
            model.Server(
                cluster,
                name,
                server.uri,
                given.suffix,
                server.role,
                server.weight,
                credentials,
                _tls(tls, server.server_name),
            )
        )
    return tuple(servers)


def _check_name(path: str, name: str, known: Mapping[str, object], problems: Problems) -> None:
    if name and name not in known:
        problems.add(path, f"{name!r} is not under credentials{near(name, known)}")


def _check_uri(path: str, uri: str, tls: shape.Tls, problems: Problems) -> None:
    try:
        if parse_uri(uri).is_tls and tls.start_tls:
            problems.add(path, "ldaps:// and tls.start_tls exclude each other")
    except ValueError as error:
        problems.add(path, str(error))


def _check_tls(path: str, given: shape.Tls, problems: Problems) -> None:
    if given.key_file and not given.certificate_file:
        problems.add(f"{path}.key_file", "needs certificate_file")
        return
    if not (given.ca_file or given.certificate_file):
        return  # nothing to read; the system's authorities would take 50 ms
    from ldaphealth.ldap.deadline import SessionError  # noqa: PLC0415  rarely needed
    from ldaphealth.ldap.transport import tls_context  # noqa: PLC0415

    try:
        tls_context(_tls(given))
    except SessionError as error:
        problems.add(path, error.failure.detail)


def _tls(given: shape.Tls, server_name: str = "") -> model.Tls:
    files = given.ca_file, given.certificate_file, given.key_file
    return model.Tls(given.start_tls, *files, given.verify, server_name)


def _checks(
    path: str, given: Mapping[str, Any], finder: Finder, problems: Problems
) -> tuple[check.ConfiguredCheck, ...]:
    """Return the checks in the order of a session: built-in ones without settings are on."""
    free = (name for name in BUILT_IN if name not in OFF_WITHOUT_SETTINGS)
    wanted = dict.fromkeys(free, None) | dict(given)
    planned: list[check.ConfiguredCheck] = []
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
        planned.append(_planned(found, settings, f"{path}.{name}", problems))
    order = [*BUILT_IN]
    middle = order.index(LAST) - 0.5
    places = {name: float(place) for place, name in enumerate(order)}
    return tuple(sorted(planned, key=lambda each: places.get(each.check.name, middle)))


def _planned(
    found: check.AnyCheck, settings: Any, path: str, problems: Problems
) -> check.ConfiguredCheck:
    settings = {} if settings in ON else settings
    params = fill_struct(found.params, settings, path, problems, beside=["effect"])
    effect = found.effect
    if isinstance(settings, dict) and "effect" in settings:
        effect = fill(model.CheckEffect, settings["effect"], f"{path}.effect", problems)
    return check.ConfiguredCheck(found, params, effect)
