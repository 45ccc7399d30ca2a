"""What was first seen when, for the next start of the agent: since when a server lacks something.

One JSON file beside the state, written now and then: what is lost with it is a few seconds, or the
beginning of a delay, and never an operator's word.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from ldaphealth.check import Cluster, ObservationsByServer
from ldaphealth.files.atomic_file import write
from ldaphealth.model import Observation
from ldaphealth.store.state_file import MAX_BYTES, YOUNG_SECONDS, boot_id

VERSION = 1


class _Of(msgspec.Struct, frozen=True):
    """What is remembered of one server; at another URI is another server, whatever its name."""

    uri: str
    reads: Sequence[Observation]


Remembered = Mapping[str, Mapping[str, Mapping[str, _Of]]]  # by cluster, check, server ID


class _Saved(msgspec.Struct, frozen=True):
    version: int
    boot_id: str
    at: float  # monotonic seconds
    clusters: Remembered


class KeptObservations(msgspec.Struct, frozen=True):
    """What was remembered, on this boot's clock; `current`: so lately that it still counts."""

    clusters: Remembered = {}
    current: bool = False

    def of(self, cluster: Cluster) -> list[Observation]:
        """Return what still belongs to the servers and the checks of a cluster, oldest first."""
        uris = {server.id: server.uri for server in cluster.servers}
        checks = {each.check.name for each in cluster.checks if each.check.select_kept is not None}
        return [
            each
            for check, servers in self.clusters.get(cluster.name, {}).items()
            for server, of in servers.items()
            for each in of.reads
            if check in checks and uris.get(server) == of.uri
        ]


def kept_path(state_directory: Path) -> Path:
    """Return where the file is."""
    return state_directory / "reads.json"


def save_kept(
    path: Path,
    clusters: Iterable[tuple[Cluster, Mapping[str, ObservationsByServer]]],
    now: Callable[[], float] = monotonic,
) -> None:
    """Write the file; OSError leaves the old one."""
    remembered = {
        cluster.name: {check: _of(cluster, seen) for check, seen in checks.items()}
        for cluster, checks in clusters
    }
    content = msgspec.json.encode(_Saved(VERSION, boot_id(), now(), remembered))
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, "more than can be read again", str(path))
    write(path, content, 0o640, durable=False)


def _of(cluster: Cluster, seen: ObservationsByServer) -> dict[str, _Of]:
    uris = {server.id: server.uri for server in cluster.servers}
    return {server: _Of(uris[server], reads) for server, reads in seen.items() if server in uris}


def load_kept(path: Path, now: Callable[[], float] = monotonic) -> KeptObservations:
    """Return what was saved; nothing where there is no file.

    After another boot the order of the reads is known, and not when they were: all of them are as
    old as this call, so that nothing looks longer than it was. ValueError says what is wrong with
    the file; OSError that it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return KeptObservations()
    try:
        return _reads(path, msgspec.json.decode(content, type=_Saved), now())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def _reads(path: Path, saved: _Saved, at: float) -> KeptObservations:
    if saved.version != VERSION:
        raise ValueError(f"{path}: version {saved.version}; this program knows {VERSION}")
    same_boot = saved.boot_id == boot_id() and saved.at <= at
    clusters = {
        name: {
            check: {
                server: _recalled(_believable(of, server, check, saved.at), at, same_boot)
                for server, of in servers.items()
            }
            for check, servers in checks.items()
        }
        for name, checks in saved.clusters.items()
    }
    return KeptObservations(clusters, same_boot and at - saved.at <= YOUNG_SECONDS)


def _believable(of: _Of, server: str, check: str, saved_at: float) -> _Of:
    """Leave out what we never wrote: reads of another, or from after the file was written."""
    reads = [
        each
        for each in of.reads
        if (each.server, each.check) == (server, check) and each.ended_at <= saved_at
    ]
    return _Of(of.uri, reads)


def _recalled(of: _Of, at: float, same_boot: bool) -> _Of:
    reads = [
        msgspec.structs.replace(
            each,
            facts={name: _frozen(value) for name, value in each.facts.items()},
            started_at=each.started_at if same_boot else at,
            duration_seconds=each.duration_seconds if same_boot else 0.0,
        )
        for each in of.reads
    ]
    return _Of(of.uri, reads)


def _frozen(value: Any) -> object:
    """Return facts as a check made them: JSON has no tuples."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return value
