"""Build the clusters from a parsed file, and find the mistakes that involve several keys.

`config.load` calls `clusters` once. It reads the files that the configuration names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from ldaphealth.check import AnyCheck
from ldaphealth.config.impossible import impossible_thresholds
from ldaphealth.config.login_credentials import check_uses
from ldaphealth.config.mistakes import Problems
from ldaphealth.config.named_checks import Finder, Known, named_checks, remembering
from ldaphealth.config.own_settings import with_own_params
from ldaphealth.config.shadow import shadow_of
from ldaphealth.config.shape import ClusterEntry, CredentialsEntry, File, ServerEntry
from ldaphealth.files.credential import passed_file
from ldaphealth.files.secret_file import SecretFileError, read_secret, secret_from_variable
from ldaphealth.ldap.endpoint import is_other_file, parse_uri
from ldaphealth.model import (
    BindMethod,
    Credentials,
    PasswordSource,
    Secret,
    Server,
    ServerSettings,
    SettingMistakes,
    Tls,
)
from ldaphealth.settings import SECOND_LOOK_PART, Cluster, ClusterSettings
from ldaphealth.text.suggestion import suggestion

SECOND_LOOK_SECONDS = 1.0
NOWHERE = "is run on no server: this check is not run on a server with the role balancer"


def _password(entry: CredentialsEntry) -> Secret | None:
    """Return the password of credentials; ValueError if it cannot be read."""
    if entry.password_env:
        return secret_from_variable(entry.password_env, os.environ)
    return read_secret(Path(entry.password_file))


def _check_tls(path: str, tls: Tls, problems: Problems) -> None:
    if any(tls.find_mistakes()) or not (tls.ca_file or tls.certificate_file or tls.ciphers):
        return  # nothing to load; loading the CA certificates of the system takes 50 ms
    from ldaphealth.ldap.deadline import SessionError  # noqa: PLC0415  rarely needed
    from ldaphealth.ldap.tls import client_tls  # noqa: PLC0415

    try:
        client_tls(tls)
    except SessionError as error:
        problems.add(path, error.failure.detail)


class OtherFiles(Struct, frozen=True):
    """What is done with the files that the configuration names: passwords, and those of TLS."""

    password: Callable[[CredentialsEntry], Secret | None] = _password
    check_tls: Callable[[str, Tls, Problems], None] = _check_tls


READ_FILES = OtherFiles()


def clusters(
    file: File,
    finder: Finder,
    problems: Problems,
    others: OtherFiles = READ_FILES,
) -> dict[str, Cluster]:
    """Return the clusters by name. They must not be used if there are problems."""
    known = {
        name: _credentials(f"credentials.{name}", each, problems, others)
        for name, each in file.credentials.items()
    }
    built: dict[str, Cluster] = {}
    finder = remembering(finder)
    for name, each in file.clusters.items():
        path = f"clusters.{name}"
        for place, tls in _tls_of(path, each).items():
            others.check_tls(place, _passed(tls), problems)
        named = Known(finder, (*each.servers,), known)
        checks = named_checks(f"{path}.checks", each.checks, named, problems)
        cluster = Cluster(
            name=name,
            servers=_servers(path, name, each, known, problems),
            checks=with_own_params(path, name, each, checks, problems),
            min_in_service=_floor(path, each, problems),
            second_look_seconds=_second_look_seconds(path, each, problems),
            **_inherited(ClusterSettings, each),
        )
        _validate(path, cluster, problems)
        shadow = _shadow(path, each, cluster, problems)
        built[name] = replace(cluster, shadow=shadow) if shadow else cluster
    check_uses(file, built, problems)
    return built


def _shadow(path: str, entry: ClusterEntry, cluster: Cluster, problems: Problems) -> Cluster | None:
    """Return the shadow of a cluster, None if it has none."""
    if entry.shadow is None:
        return None
    was_right = not problems.has_at(path)
    shadow = shadow_of(path, entry, entry.shadow, cluster, problems)
    if was_right:  # else the mistakes of the cluster would be in both
        _validate(f"{path}.shadow", shadow, problems)
    return shadow


def _inherited(base: type[Struct], entry: Struct) -> dict[str, Any]:
    """Return the settings that an entry inherits from `base`."""
    return {name: getattr(entry, name) for name in base.__struct_fields__}


def _credentials(
    path: str,
    entry: CredentialsEntry,
    problems: Problems,
    others: OtherFiles,
) -> Credentials:
    method = entry.method
    if problems.has_at(path):
        return Credentials()
    if method is not BindMethod.SIMPLE:
        return Credentials(method=method)
    if bool(entry.password_file) == bool(entry.password_env):
        return Credentials()
    try:
        secret = others.password(entry)
    except ValueError as error:
        key = "password_env" if entry.password_env else "password_file"
        command = error.command if isinstance(error, SecretFileError) else ()
        problems.add(f"{path}.{key}", str(error), command)
        return Credentials()
    return Credentials(password=secret, **_inherited(PasswordSource, entry))


def _floor(path: str, entry: ClusterEntry, problems: Problems) -> int:
    count = len(entry.servers)
    floor = (count + 1) // 2 if entry.min_in_service is None else entry.min_in_service
    if floor > count:
        problems.add(f"{path}.min_in_service", f"must be at most {count}, the number of servers")
    return floor


def _second_look_seconds(path: str, entry: ClusterEntry, problems: Problems) -> float:
    most = entry.deadline_seconds * SECOND_LOOK_PART
    if entry.second_look_seconds is None:
        return min(SECOND_LOOK_SECONDS, most)
    if entry.second_look_seconds > most:
        problems.add(
            f"{path}.second_look_seconds", f"must be at most {most:g}, 0.6 of the deadline"
        )
    return entry.second_look_seconds


def _validate(path: str, cluster: Cluster, problems: Problems) -> None:
    """Add the mistakes that each check finds in its settings for this cluster.

    After a mistake in the servers this is skipped: a server that the settings name may be missing.
    """
    if problems.has_below(f"{path}.servers"):
        return
    for configured in cluster.checks:
        if configured.params is UNSET:
            continue
        place = f"checks.{configured.name}"
        if problems.has_at(f"{path}.{place}"):
            continue  # a default may stand in the place of a wrong value
        scope = cluster
        if configured.servers:
            scope = replace(cluster, servers=cluster.servers_of(configured))
        if not scope.servers:
            problems.add(f"{path}.{place}", NOWHERE)
            continue
        usual = [*_mistakes(configured.check, scope, configured.params)]
        problems.add_each(f"{path}.{place}", usual)
        checked: list[tuple[Any, list[tuple[str, str]]]] = []  # many servers may have the same
        for server_id, own in configured.own_params.items():
            wrong = next((each for same, each in checked if same == own), None)
            if wrong is None:
                found = _mistakes(configured.check, scope, own)
                wrong = [each for each in found if each not in usual]
                checked.append((own, wrong))
            _, _, name = server_id.partition("/")
            problems.add_each(f"{path}.servers.{name}.{place}", wrong)


def _mistakes(check: AnyCheck, cluster: Cluster, params: Any) -> SettingMistakes:
    yield from impossible_thresholds(params, cluster)
    if check.validate is not None:
        yield from check.validate(cluster, params)


def _servers(
    path: str,
    cluster: str,
    cluster_entry: ClusterEntry,
    known: Mapping[str, Credentials],
    problems: Problems,
) -> tuple[Server, ...]:
    usual_tls = _passed(cluster_entry.tls)
    _check_name(f"{path}.credentials", cluster_entry.credentials, known, problems)
    servers = []
    names: dict[str, str] = {}  # by URI
    for name, each in cluster_entry.servers.items():
        place = f"{path}.servers.{name}"
        entry = ServerEntry(uri=each) if isinstance(each, str) else each
        tls = _passed(entry.tls) if entry.tls else usual_tls
        _check_uri(f"{place}.uri", entry.uri, tls, problems)
        if entry.uri in names:
            problems.add(f"{place}.uri", f"is the same as that of {names[entry.uri]}")
        names.setdefault(entry.uri, name)
        _check_name(f"{place}.credentials", entry.credentials, known, problems)
        servers.append(
            Server(
                cluster=cluster,
                name=name,
                suffix=cluster_entry.suffix,
                credentials=known.get(
                    entry.credentials or cluster_entry.credentials, Credentials()
                ),
                tls=tls,
                pipeline=cluster_entry.pipeline if entry.pipeline is None else entry.pipeline,
                **_inherited(ServerSettings, entry),
            )
        )
    return tuple(servers)


def _check_name(path: str, name: str, known: Mapping[str, object], problems: Problems) -> None:
    if name and name not in known:
        problems.add(path, f"{name!r} is not under credentials{suggestion(name, known)}")


def _check_uri(path: str, uri: str, tls: Tls, problems: Problems) -> None:
    try:
        endpoint = parse_uri(uri)
        if endpoint.is_tls and tls.start_tls:
            problems.add(path, f"{endpoint.scheme}:// and tls.start_tls exclude each other")
        if endpoint.is_socket and is_other_file(endpoint.host):
            problems.add(path, f"{endpoint.host} is not a Unix socket")
    except ValueError as error:
        problems.add(path, str(error))


def _tls_of(path: str, cluster_entry: ClusterEntry) -> dict[str, Tls]:
    """Return the settings of TLS by their place in the file."""
    own = {
        f"{path}.servers.{name}.tls": each.tls
        for name, each in cluster_entry.servers.items()
        if not isinstance(each, str) and each.tls
    }
    return {f"{path}.tls": cluster_entry.tls, **own}


def _passed(tls: Tls) -> Tls:
    """Return the settings with the files that systemd passes in place of those that they name."""
    return replace(
        tls,
        ca_file=passed_file(tls.ca_file),
        certificate_file=passed_file(tls.certificate_file),
        key_file=passed_file(tls.key_file),
    )
