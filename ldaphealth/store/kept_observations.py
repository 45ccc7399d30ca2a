"""Kept observations, which the next start of the agent loads: since when a server lacks changes.

One file of records beside the state file, written every few seconds. Losing it loses a few seconds,
or the beginning of a delay, but never an override.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from msgspec.structs import replace

from ldaphealth.check import ObservationsByServer
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import AnyObservation, Observation
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.store.record_file import (
    DECODE_ERRORS,
    Header,
    Loaded,
    boot_id,
    load_records,
    save_records,
)
from ldaphealth.store.state_file import YOUNG_SECONDS

log = logging.getLogger(__name__)

VERSION = 2


class _Header(Header, frozen=True, kw_only=True):
    boot_id: str
    at: MonotonicSeconds


class _OfServer(msgspec.Struct, frozen=True):
    """The observations of one server. Another URI is another server, whatever its name."""

    uri: str
    reads: Sequence[msgspec.Raw]  # each an Observation, with facts of the check's type


class _Record(_OfServer, frozen=True, kw_only=True, omit_defaults=True):
    """What one check saw of one server. `kind` is "" if it has the same name as the check."""

    cluster: str
    check: str
    server: str
    kind: str = ""

    @property
    def of_check(self) -> tuple[str, str]:
        """Return the name of the check and its kind."""
        return self.check, self.kind or self.check


class _Saved1(msgspec.Struct, frozen=True):
    """The one document of version 1: by cluster, check and server ID."""

    boot_id: str
    at: MonotonicSeconds
    clusters: Mapping[str, Mapping[str, Mapping[str, _OfServer]]]


class KeptObservations(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file.

    `problem`: one line with the reason why it is not all of it. `current`: it was saved recently in
    this boot, so it describes the present. `saved_at` is on the clock of the boot that saved it.
    Without `same_boot` it is not known when the observations were made. Then all of them count as
    made at `loaded_at`.
    """

    records: Sequence[_Record] = ()
    problem: str = ""
    current: bool = False
    saved_at: MonotonicSeconds = 0.0
    loaded_at: MonotonicSeconds = 0.0
    same_boot: bool = False

    def part(self, holds: Callable[[str], bool]) -> KeptObservations:
        """Return what is of some clusters, by their names."""
        return replace(self, records=[each for each in self.records if holds(each.cluster)])

    def of(self, cluster: Cluster) -> list[AnyObservation]:
        """Return the observations of the servers and the checks of a cluster, oldest first."""
        checks = [each for each in cluster.checks if each.check.select_kept is not None]
        return [observation for check in checks for observation in self._of_check(cluster, check)]

    def _of_check(self, cluster: Cluster, configured: ConfiguredCheck) -> Iterator[AnyObservation]:
        check, name = configured.check, configured.name
        uris = {server.id: server.uri for server in cluster.servers}
        decoder = msgspec.json.Decoder(Observation[check.facts])  # type: ignore[name-defined]
        for kept in self.records:
            if kept.cluster != cluster.name or kept.of_check != (name, check.name):
                continue
            if uris.get(kept.server) != kept.uri:
                continue
            try:
                reads: list[AnyObservation] = [decoder.decode(each) for each in kept.reads]
            except DECODE_ERRORS as error:
                extra = {"server": kept.server, "check": name, "error": str(error)}
                log.warning("kept observations cannot be read", extra=extra)
                continue
            # This program never writes one of another server, or one later than the file.
            known = kept.server, name
            for each in reads:
                if (each.server, each.check) == known and each.ended_at <= self.saved_at:
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
    records = [
        each
        for cluster, checks in clusters
        for check, seen in checks.items()
        for each in _records_of(cluster, check, seen)
    ]
    header = _Header(version=VERSION, records=len(records), boot_id=boot_id(), at=now())
    save_records(path, header, records, durable=False)


def save_part(path: Path, kept: Iterable[KeptObservations], holds: Callable[[str], bool]) -> None:
    """Write what files of several agents have of some clusters; OSError.

    If the agents did not end together in this boot, only the order of the reads of each is known.
    """
    parts = [each for of in kept if (each := of.part(holds)).records]
    ends = [each.saved_at for each in parts]
    at = max(ends, default=0.0)
    is_together = at - min(ends, default=at) <= YOUNG_SECONDS
    boot = boot_id() if is_together and all(each.same_boot for each in parts) else ""
    records = [each for of in parts for each in of.records]
    header = _Header(version=VERSION, records=len(records), boot_id=boot, at=at)
    save_records(path, header, records, durable=True)


def _records_of(cluster: Cluster, check: str, seen: ObservationsByServer[Any]) -> Iterator[_Record]:
    uris = {server.id: server.uri for server in cluster.servers}
    kind = next((each.check.name for each in cluster.checks if each.name == check), check)
    of = {"cluster": cluster.name, "check": check, "kind": "" if kind == check else kind}
    for server, reads in seen.items():
        if server in uris:
            raw = [msgspec.Raw(msgspec.json.encode(each)) for each in reads]
            yield _Record(uris[server], raw, server=server, **of)


def load_kept(path: Path, now: Callable[[], MonotonicSeconds] = monotonic) -> KeptObservations:
    """Return what can be read of the file; nothing without a file.

    After another boot the order of the reads is known, but not their times. Then all of them count
    as made now, so that no delay appears longer than it was.
    """
    loaded: Loaded[_Header, _Record] = load_records(
        path, _Header, _Record, VERSION, _lines_of_version_1
    )
    header, at = loaded.header, now()
    problem = loaded.problem and f"{path}: {loaded.problem}"
    if header is None:
        return KeptObservations(problem=problem)
    same_boot = header.boot_id == boot_id() and header.at <= at
    return KeptObservations(
        records=loaded.records,
        problem=problem,
        current=same_boot and at - header.at <= YOUNG_SECONDS,
        saved_at=header.at,
        loaded_at=at,
        same_boot=same_boot,
    )


def _lines_of_version_1(content: bytes) -> Sequence[bytes]:
    saved = msgspec.json.decode(content, type=_Saved1)
    records = [
        _Record(kept.uri, kept.reads, cluster=cluster, check=check, server=server)
        for cluster, checks in saved.clusters.items()
        for check, servers in checks.items()
        for server, kept in servers.items()
    ]
    header = _Header(version=VERSION, records=len(records), boot_id=saved.boot_id, at=saved.at)
    return [msgspec.json.encode(each) for each in chain([header], records)]
