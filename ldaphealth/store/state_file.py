"""The state file: the memories of the guard, with the overrides, for the next start of the agent.

One small JSON file, replaced as a whole. The one-shot command reads the overrides in it, so that
they apply while the agent is down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from ldaphealth.clocks import BootSeconds, EpochSeconds, epoch_seconds
from ldaphealth.files.atomic_file import write
from ldaphealth.guard import Memory
from ldaphealth.guard.memory import Override

log = logging.getLogger(__name__)

VERSION = 1
SAVE_SECONDS = 10.0
MAX_BYTES = 16 << 20
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # proc(5): another one after each boot
# Older verdicts are not used. A restart takes seconds, a reboot of the machine minutes.
YOUNG_SECONDS = 120.0


class _Saved(msgspec.Struct, frozen=True):
    version: int
    boot_id: str
    at: BootSeconds
    epoch: EpochSeconds
    memories: dict[str, Memory]


def state_path(state_directory: Path) -> Path:
    """Return the path of the file."""
    return state_directory / "state.json"


def boot_id() -> str:
    """Return the ID of this boot of the machine."""
    return BOOT_ID.read_text().strip()


def save_state(path: Path, memories: Mapping[str, Memory], now: BootSeconds) -> None:
    """Write the file. OSError: the old one is left as it was."""
    saved = _Saved(VERSION, boot_id(), now, epoch_seconds(), dict(memories))
    write(path, msgspec.json.encode(saved), 0o640, durable=True)


def load_state(path: Path, now: BootSeconds) -> dict[str, Memory]:
    """Return the memories by cluster, on the clock of this boot; empty without a file.

    Servers are left out if the file is older than `YOUNG_SECONDS` or of another boot. Overrides are
    always returned. ValueError: the file is invalid. OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return {}
    try:
        saved = msgspec.json.decode(content, type=_Saved)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    if saved.version != VERSION:
        raise ValueError(f"{path}: version {saved.version}; this program knows {VERSION}")
    same_boot = saved.boot_id == boot_id() and saved.at <= now
    # The clock that never steps begins anew with each boot. Then only the time of day is left.
    passed = now - saved.at if same_boot else max(0.0, epoch_seconds() - saved.epoch)
    shift = 0.0 if same_boot else now - saved.at - passed
    return {
        name: Memory(
            memory.servers if same_boot and passed <= YOUNG_SECONDS else {},
            {key: _shifted(each, shift) for key, each in memory.overrides.items()},
        )
        for name, memory in saved.memories.items()
    }


def _shifted(override: Override, seconds: float) -> Override:
    return msgspec.structs.replace(override, until=override.until + seconds)


class StateSaver:
    """Saves the memories in a thread of its own: important changes within a second, others later.

    `memories` returns the newest, which are immutable, so any thread may call it. `save_beside`
    saves a second file. It is called every `SAVE_SECONDS` and at the end.
    """

    def __init__(
        self,
        path: Path,
        memories: Callable[[], Mapping[str, Memory]],
        clock: Callable[[], BootSeconds],
        save_beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._memories, self._clock = path, memories, clock
        self._save_second = save_beside
        self._saving = threading.Lock()
        self._stop = threading.Event()
        self._saved: object = None
        self._saved_at = -SAVE_SECONDS
        self.errors = 0
        self._failed: set[Callable[[], None]] = set()  # failed and logged already
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def save(self) -> None:
        """Save now. OSError: it cannot be saved."""
        with self._saving:
            memories = self._memories()
            save_state(self._path, memories, self._clock())
            self._saved, self._saved_at = _important(memories), self._clock()
            self._failed.discard(self.save)

    def save_beside(self) -> None:
        """Save the second file now. OSError: it cannot be saved."""
        with self._saving:
            self._save_second()

    def close(self) -> None:
        """Save a last time, for at most a second, and end."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            is_due = self._clock() - self._saved_at >= SAVE_SECONDS
            if is_due or _important(self._memories()) != self._saved:
                self._try(self.save)
            if is_due:
                self._try(self.save_beside)
        self._try(self.save)
        self._try(self.save_beside)

    def _try(self, save: Callable[[], None]) -> None:
        try:
            save()
            self._failed.discard(save)
        except OSError as error:
            if save not in self._failed:
                extra = {"path": error.filename or str(self._path), "error": str(error)}
                log.error("cannot save the state", extra=extra)  # noqa: TRY400
                self._failed.add(save)
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
