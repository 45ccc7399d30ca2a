"""The settings of a cluster as plain data and back, without its passwords. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import AnyCheck
from ldaphealth.model import CheckEffect, Credentials, Server
from ldaphealth.settings import Cluster, ClusterSettings, ConfiguredCheck
from ldaphealth.workload.shape import Workload
from ldaphealth.workload.workload_file import WorkloadFile

Finder = Callable[[str], AnyCheck]


class _Check(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check: its kind by name, and settings that are not decoded before the kind is known."""

    kind: str
    params: Any
    effect: CheckEffect
    own_params: dict[str, Any] = {}
    alias: str = ""
    every: int = 1
    servers: frozenset[str] = frozenset()
    credentials: Credentials | None = None


class _Cluster(ClusterSettings, frozen=True, kw_only=True):
    """All that verdicts rest on; a shadow is left out, because it decides none."""

    name: str
    servers: tuple[Server, ...]
    checks: tuple[_Check, ...]
    min_in_service: int
    second_look_seconds: float
    config_file: str = ""  # remedies name it


class _Workload(Struct, frozen=True):
    path: str
    digest: str
    content: Workload | None


def cluster_document(cluster: Cluster) -> Any:
    """Return a cluster as plain data."""
    kept = _Cluster(
        name=cluster.name,
        servers=tuple(
            replace(each, credentials=_without_password(each.credentials))
            for each in cluster.servers
        ),
        checks=tuple(map(_check, cluster.checks)),
        min_in_service=cluster.min_in_service,
        second_look_seconds=cluster.second_look_seconds,
        config_file=cluster.config_file,
        **_shared(cluster),
    )
    return msgspec.to_builtins(kept, enc_hook=_plain)


def cluster_of(document: Any, finder: Finder) -> Cluster:
    """Return the cluster; LookupError if a kind of check is not installed, or ValidationError."""
    kept = msgspec.convert(document, _Cluster)
    return Cluster(
        name=kept.name,
        servers=kept.servers,
        checks=tuple(_configured(each, finder(each.kind)) for each in kept.checks),
        min_in_service=kept.min_in_service,
        second_look_seconds=kept.second_look_seconds,
        config_file=kept.config_file,
        **_shared(kept),
    )


def _shared(settings: ClusterSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ClusterSettings.__struct_fields__}


def _check(configured: ConfiguredCheck) -> _Check:
    own = configured.credentials
    return _Check(
        kind=configured.check.name,
        params=configured.params,
        effect=configured.effect,
        own_params=dict(configured.own_params),
        alias=configured.alias,
        every=configured.every,
        servers=configured.servers,
        credentials=None if own is None else _without_password(own),
    )


def _configured(kept: _Check, check: AnyCheck) -> ConfiguredCheck:
    return ConfiguredCheck(
        check,
        msgspec.convert(kept.params, check.params, dec_hook=_typed),
        kept.effect,
        {
            server: msgspec.convert(each, check.params, dec_hook=_typed)
            for server, each in kept.own_params.items()
        },
        alias=kept.alias,
        every=kept.every,
        servers=kept.servers,
        credentials=kept.credentials,
    )


def _without_password(credentials: Credentials) -> Credentials:
    return replace(credentials, password=None)


def _plain(value: object) -> object:
    """Return a value of another type as plain data: the values for a workload are left out."""
    if isinstance(value, WorkloadFile):
        content = replace(value.content, sources={}) if value.content else None
        return msgspec.to_builtins(_Workload(str(value.path), value.digest, content))
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be kept")


def _typed(kind: type, value: Any) -> object:
    if kind is WorkloadFile:
        kept = msgspec.convert(value, _Workload)
        return WorkloadFile(Path(kept.path), kept.content, kept.digest)
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} cannot be read")
