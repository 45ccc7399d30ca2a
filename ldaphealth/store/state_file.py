"""The state file: the memories of the guard, with the overrides, for the next start of the agent.

One small file of records, replaced as a whole. The one-shot command reads the overrides in it, so
that they apply while the agent is down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from ldaphealth.clocks import BootSeconds, EpochSeconds, epoch_seconds
from ldaphealth.control.requests import MAX_SECONDS
from ldaphealth.guard import Memory
from ldaphealth.guard.memory import Override, ServerMemory
from ldaphealth.shard import WHOLE, Shard
from ldaphealth.store.override_files import (
    override_directory,
    read_override_files,
    write_override_files,
)
from ldaphealth.store.record_file import Header, boot_id, load_records, save_records

log = logging.getLogger(__name__)

VERSION = 2
SAVE_SECONDS = 10.0
# Older verdicts are not used. A restart takes seconds, a reboot of the machine minutes.
YOUNG_SECONDS = 120.0


class _Header(Header, frozen=True, kw_only=True):
    boot_id: str
    at: BootSeconds
    epoch: EpochSeconds


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server: an override, with the time of day when it ends, or what the guard remembers."""

    cluster: str
    server: str
    override: Override | None = None
    until_epoch: EpochSeconds = 0.0
    memory: ServerMemory | None = None


class _Cluster1(msgspec.Struct, frozen=True):
    servers: Mapping[str, msgspec.Raw] = {}
    overrides: Mapping[str, msgspec.Raw] = {}


class _Saved1(msgspec.Struct, frozen=True):
    """The one document of version 1."""

    boot_id: str
    at: BootSeconds
    epoch: EpochSeconds
    memories: Mapping[str, _Cluster1]


class _Record1(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `_Record` of which one part is not decoded yet, because it may be damaged."""

    cluster: str
    server: str
    override: msgspec.Raw | None = None
    memory: msgspec.Raw | None = None


class LoadedState(msgspec.Struct, frozen=True):
    """The memories by cluster. `problem`: one line with the reason why they are not all."""

    memories: Mapping[str, Memory] = {}
    problem: str = ""


def state_path(state_directory: Path) -> Path:
    """Return the path of the file."""
    return state_directory / "state.json"


def save_state(
    path: Path, memories: Mapping[str, Memory], now: BootSeconds, shard: Shard = WHOLE
) -> None:
    """Write the file, overrides first, and then the files of overrides, which shards share.

    OSError: some are left as they were.
    """
    epoch = epoch_seconds()
    overrides = [
        _Record(cluster=name, server=server, override=each, until_epoch=epoch + each.until - now)
        for name, memory in memories.items()
        for server, each in memory.overrides.items()
    ]
    servers = [
        _Record(cluster=name, server=server, memory=each)
        for name, memory in memories.items()
        for server, each in memory.servers.items()
    ]
    records = [*overrides, *servers]
    header = _Header(version=VERSION, records=len(records), boot_id=boot_id(), at=now, epoch=epoch)
    save_records(path, header, records, durable=True)
    write_override_files(
        override_directory(shard.above(path.parent)),
        memories,
        boot_id=header.boot_id,
        now=now,
        epoch=epoch,
        shard=shard,
    )


def load_state(path: Path, now: BootSeconds, shard: Shard = WHOLE) -> LoadedState:
    """Return what can be read of the memories, on the clock of this boot; empty without a file.

    Servers are left out if the file is older than `YOUNG_SECONDS` or of another boot. Overrides are
    always returned: those that the file lost are in the files for keepalived's script. Clusters
    that the shard does not hold are left out: another file has what is true of them.
    """
    loaded = load_records(path, _Header, _Record, VERSION, _lines_of_version_1)
    same_boot, passed = _age(loaded.header, now)
    servers: dict[str, dict[str, ServerMemory]] = {}
    overrides: dict[str, dict[str, Override]] = {}
    for each in loaded.records:
        if each.memory is not None and same_boot and passed <= YOUNG_SECONDS:
            servers.setdefault(each.cluster, {})[each.server] = each.memory
        if each.override is not None:
            until = _until(each.override, each.until_epoch, loaded.header, now)
            override = msgspec.structs.replace(each.override, until=until)
            overrides.setdefault(each.cluster, {})[each.server] = override
    if loaded.problem:
        for name, beside in _read_beside(shard.above(path.parent), now).items():
            overrides[name] = {**beside.overrides, **overrides.get(name, {})}
    memories = {
        name: Memory(servers.get(name, {}), overrides.get(name, {}))
        for name in servers.keys() | overrides.keys()
        if shard.holds(name)
    }
    return LoadedState(memories, loaded.problem and f"{path}: {loaded.problem}")


def _read_beside(state_directory: Path, now: BootSeconds) -> Mapping[str, Memory]:
    """Return the overrides in the files for keepalived's script, as they were last saved."""
    directory = override_directory(state_directory)
    return read_override_files(directory, boot_id=boot_id(), now=now, epoch=epoch_seconds())


def _age(header: _Header | None, now: BootSeconds) -> tuple[bool, float]:
    """Return whether the file is of this boot, and how many seconds ago it was written."""
    if header is None:
        return False, 0.0
    if header.boot_id == boot_id() and header.at <= now:
        return True, now - header.at
    # The clock that never steps begins anew with each boot. Then only the time of day is left.
    return False, max(0.0, epoch_seconds() - header.epoch)


def _until(
    override: Override, until_epoch: EpochSeconds, header: _Header | None, now: BootSeconds
) -> BootSeconds:
    """Return when an override ends on the clock of this boot: never later than one can be set."""
    if header is None:
        left = until_epoch - epoch_seconds()
    else:
        left = override.until - header.at - _age(header, now)[1]
    return now + min(left, MAX_SECONDS)


def _lines_of_version_1(content: bytes) -> Sequence[bytes]:
    saved = msgspec.json.decode(content, type=_Saved1)
    overrides = [
        _Record1(cluster=name, server=server, override=each)
        for name, cluster in saved.memories.items()
        for server, each in cluster.overrides.items()
    ]
    servers = [
        _Record1(cluster=name, server=server, memory=each)
        for name, cluster in saved.memories.items()
        for server, each in cluster.servers.items()
    ]
    records = [*overrides, *servers]
    header = _Header(
        version=VERSION,
        records=len(records),
        boot_id=saved.boot_id,
        at=saved.at,
        epoch=saved.epoch,
    )
    return [msgspec.json.encode(each) for each in chain[msgspec.Struct]([header], records)]


class StateSaver:
    """Saves the memories in a thread of its own: important changes within a second, others later.

    `memories` returns the newest, which are immutable, so any thread may call it. `save_beside`
    saves a second file. It is called every `SAVE_SECONDS`, however often the memories are saved
    meanwhile, and at the end.
    """

    def __init__(
        self,
        path: Path,
        memories: Callable[[], Mapping[str, Memory]],
        clock: Callable[[], BootSeconds],
        save_beside: Callable[[], None] = lambda: None,
        shard: Shard = WHOLE,
    ) -> None:
        self._path, self._memories, self._clock, self._shard = path, memories, clock, shard
        self._save_second = save_beside
        self._saving = threading.Lock()
        self._stop = threading.Event()
        self._saved: object = None
        self._saved_at = self._saved_beside_at = -SAVE_SECONDS
        self.errors = 0
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def save(self) -> None:
        """Save now. OSError: it cannot be saved."""
        with self._saving:
            self._save(self._memories())

    def save_important(self) -> None:
        """Save what is important, unless it was saved meanwhile. OSError: it cannot be saved.

        Many clients may wait for the disk; one write serves all whose changes were made before it.
        """
        with self._saving:
            memories = self._memories()
            if _important(memories) != self._saved:
                self._save(memories)

    def save_beside(self) -> None:
        """Save the second file now. OSError: it cannot be saved."""
        with self._saving:
            self._save_second()

    def close(self) -> None:
        """Save a last time, for at most a second, and end."""
        self._stop.set()
        self._thread.join(1.0)

    def _save(self, memories: Mapping[str, Memory]) -> None:
        self._saved = None
        save_state(self._path, memories, self._clock(), self._shard)
        self._saved, self._saved_at = _important(memories), self._clock()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._try(self._save_if_due)
            now = self._clock()
            if now - self._saved_beside_at >= SAVE_SECONDS:
                self._saved_beside_at = now
                self._try(self.save_beside)
        self._try(self.save)
        self._try(self.save_beside)

    def _save_if_due(self) -> None:
        is_due = self._clock() - self._saved_at >= SAVE_SECONDS
        if is_due or _important(self._memories()) != self._saved:
            self.save()

    def _try(self, save: Callable[[], None]) -> None:
        try:
            save()
        except OSError as error:
            extra = {"path": error.filename or str(self._path), "error": str(error)}
            log.error("cannot save the state", extra=extra)  # noqa: TRY400
        except Exception:  # no error may end the thread
            log.exception("cannot save the state")
        else:
            return
        self.errors += 1


def _important(memories: Mapping[str, Memory]) -> object:
    """Return what is saved at once when it changes; the rest changes with every round."""
    return {
        name: (
            memory.overrides,
            {server: past.in_service for server, past in memory.servers.items()},
        )
        for name, memory in memories.items()
    }
