"""Kept observations, which the next start of the agent loads: since when a server lacks changes.

One JSON file beside the state file, written every few seconds. Losing it loses a few seconds, or
the beginning of a delay, but never an override.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from msgspec.structs import replace

from ldaphealth.check import AnyCheck, ObservationsByServer
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.files.atomic_file import write
from ldaphealth.model import AnyObservation, Observation
from ldaphealth.settings import Cluster
from ldaphealth.store.state_file import MAX_BYTES, YOUNG_SECONDS, boot_id

log = logging.getLogger(__name__)

VERSION = 1


class _OfServer(msgspec.Struct, frozen=True):
    """The observations of one server. Another URI is another server, whatever its name."""

    uri: str
    reads: Sequence[msgspec.Raw]  # each an Observation, with facts of the check's type


_Clusters = Mapping[str, Mapping[str, Mapping[str, _OfServer]]]  # by cluster, check, server ID


class _Saved(msgspec.Struct, frozen=True):
    version: int
    boot_id: str
    at: MonotonicSeconds
    clusters: _Clusters


class KeptObservations(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file.

    `current`: it was saved recently in this boot, so it describes the present. `saved_at` is on the
    clock of the boot that saved it. Without `same_boot` it is not known when the observations were
    made. Then all of them count as made at `loaded_at`.
    """

    clusters: _Clusters = {}
    current: bool = False
    saved_at: MonotonicSeconds = 0.0
    loaded_at: MonotonicSeconds = 0.0
    same_boot: bool = False

    def of(self, cluster: Cluster) -> list[AnyObservation]:
        """Return the observations of the servers and the checks of a cluster, oldest first."""
        checks = [each.check for each in cluster.checks if each.check.select_kept is not None]
        return [observation for check in checks for observation in self._of_check(cluster, check)]

    def _of_check(self, cluster: Cluster, check: AnyCheck) -> Iterator[AnyObservation]:
        uris = {server.id: server.uri for server in cluster.servers}
        decoder = msgspec.json.Decoder(Observation[check.facts])  # type: ignore[name-defined]
        for server, kept in self.clusters.get(cluster.name, {}).get(check.name, {}).items():
            if uris.get(server) != kept.uri:
                continue
            try:
                reads: list[AnyObservation] = [decoder.decode(each) for each in kept.reads]
            except (msgspec.MsgspecError, RecursionError) as error:
                extra = {"server": server, "check": check.name, "error": str(error)}
                log.warning("kept observations cannot be read", extra=extra)
                continue
            for each in reads:
                # This program never writes one of another server, or one later than the file.
                if (each.server, each.check) == (
                    server,
                    check.name,
                ) and each.ended_at <= self.saved_at:
                    yield self._dated(each)

    def _dated(self, observation: AnyObservation) -> AnyObservation:
        if self.same_boot:
            return observation
        return replace(observation, started_at=self.loaded_at, duration_seconds=0.0)


def kept_path(state_directory: Path) -> Path:
    """Return the path of the file."""
    return state_directory / "reads.json"


def save_kept(
    path: Path,
    clusters: Iterable[tuple[Cluster, Mapping[str, ObservationsByServer[Any]]]],
    now: Callable[[], MonotonicSeconds] = monotonic,
) -> None:
    """Write the file. OSError: the old one is left as it was."""
    kept = {
        cluster.name: {check: _of_servers(cluster, seen) for check, seen in checks.items()}
        for cluster, checks in clusters
    }
    content = msgspec.json.encode(_Saved(VERSION, boot_id(), now(), kept))
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES} bytes", str(path))
    write(path, content, 0o640, durable=False)


def _of_servers(cluster: Cluster, seen: ObservationsByServer[Any]) -> dict[str, _OfServer]:
    uris = {server.id: server.uri for server in cluster.servers}
    return {
        server: _OfServer(uris[server], [msgspec.Raw(msgspec.json.encode(each)) for each in reads])
        for server, reads in seen.items()
        if server in uris
    }


def load_kept(path: Path, now: Callable[[], MonotonicSeconds] = monotonic) -> KeptObservations:
    """Return the content of the file; an empty one without a file.

    After another boot the order of the reads is known, but not their times. Then all of them count
    as made now, so that no delay appears longer than it was. ValueError: the file is invalid.
    OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return KeptObservations()
    try:
        return _loaded(path, msgspec.json.decode(content, type=_Saved), now())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def _loaded(path: Path, saved: _Saved, at: MonotonicSeconds) -> KeptObservations:
    if saved.version != VERSION:
        raise ValueError(f"{path}: version {saved.version}; this program knows {VERSION}")
    same_boot = saved.boot_id == boot_id() and saved.at <= at
    return KeptObservations(
        clusters=saved.clusters,
        current=same_boot and at - saved.at <= YOUNG_SECONDS,
        saved_at=saved.at,
        loaded_at=at,
        same_boot=same_boot,
    )
