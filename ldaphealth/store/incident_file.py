"""The file of incidents, in YAML: one format for what the agent keeps and what a person writes.

`ldaphealth incident` has the agent write it, in the state directory. `--incidents` of the commands
names another one, which a person wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, UnsetType, field
from msgspec.structs import replace

from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.yaml_file import read_yaml
from ldaphealth.control.requests import MAX_REASON_CHARACTERS
from ldaphealth.files.atomic_file import write
from ldaphealth.files.lock_file import LockFile
from ldaphealth.history.incident import Incident, incident_document
from ldaphealth.model import SettingMistakes
from ldaphealth.text.yaml_text import flow

MAX_BYTES = 1 << 18  # of the agent's file: a thousand incidents or more
MODE = 0o640  # as the state file
LOCK_SECONDS, POLL_SECONDS = 2.0, 0.02
PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"  # a name of a cluster or a server, as in the settings
HEAD = """\
# Incidents that were marked with `ldaphealth incident`, which writes this file anew. To keep a file
# of your own in this format, name it with --incidents.
incidents:
"""
Target: TypeAlias = Annotated[
    str, Meta(pattern=f"^{PART}(/{PART})?$", description="CLUSTER or CLUSTER/SERVER")
]
Note: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_REASON_CHARACTERS)]


class IncidentError(Exception):
    """A file of incidents cannot be used so. The message is one line with the reason."""


class _Entry(Struct, frozen=True, kw_only=True):
    """An incident in the file. Without an ID it has its place in the list."""

    target: Target
    began: datetime = field(name="from")
    ended: datetime | None = field(name="to", default=None)
    note: Note
    id: Annotated[int, Meta(ge=1)] | None = None
    by: str = ""
    marked: datetime | None = None

    def find_mistakes(self) -> SettingMistakes:
        """Yield what is wrong with its times."""
        if self.ended is not None and self.ended <= self.began:
            yield "to", "is not after `from`"


class _File(Struct, frozen=True):
    incidents: list[_Entry] | None

    def find_mistakes(self) -> SettingMistakes:
        """Yield an ID that several incidents have."""
        for number, count in Counter(each.id for each in _incidents(self)).items():
            if count > 1:
                yield "incidents", f"{count} of them have the ID {number}"


def incident_path(state_directory: Path) -> Path:
    """Return the path of the agent's file."""
    return state_directory / "incidents.yaml"


def read_incidents(path: Path) -> list[Incident]:
    """Return the incidents of a file in its order; IncidentError if it cannot be used."""
    problems = Problems()
    try:
        content = read_yaml(path)
        file: _File | UnsetType = fill_struct(_File, content, "", problems)
    except ConfigError as error:
        raise IncidentError(f"{path}: {error}") from error
    if problems.lines or not isinstance(file, _File):
        raise IncidentError(f"{path}: {'; '.join(problems.lines)}")
    return _incidents(file)


class IncidentFile:
    """The agent's file. Threads and processes may use it side by side: shards have one together.

    What a method returns is on the disk. IncidentError: the file is as it was.
    """

    def __init__(self, path: Path, clock: Callable[[], EpochSeconds] = epoch_seconds) -> None:
        self._path, self._clock = path, clock

    def read(self) -> list[Incident]:
        """Return all; none if there is no file yet."""
        return read_incidents(self._path) if self._path.exists() else []

    def add(
        self,
        target: str,
        began: EpochSeconds,
        ended: EpochSeconds | None,
        note: str,
        by: str,
    ) -> Incident:
        """Add an incident, in whole seconds, with the next ID."""
        with self._locked():
            found = self.read()
            new = Incident(
                id=max((each.id for each in found), default=0) + 1,
                target=target,
                began=began // 1,
                ended=None if ended is None else ended // 1,
                note=note,
                by=by,
                marked_at=self._clock() // 1,
            )
            self._write([*found, new])
        return new

    def end(self, number: int, ended: EpochSeconds) -> Incident:
        """Set the end of an incident, in whole seconds."""
        with self._locked():
            found = self.read()
            new = replace(_with_id(found, number, self._path), ended=ended // 1)
            self._write([new if each.id == number else each for each in found])
        return new

    def remove(self, number: int) -> Incident:
        """Remove an incident, and return it."""
        with self._locked():
            found = self.read()
            removed = _with_id(found, number, self._path)
            self._write([each for each in found if each is not removed])
        return removed

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file, which is beside it; IncidentError."""
        path = self._path.with_suffix(".lock")
        until = monotonic() + LOCK_SECONDS
        while True:
            try:
                lock = LockFile(path)
                break
            except BlockingIOError as error:
                if monotonic() >= until:
                    busy = f"{self._path}: is being changed; nothing was done; try again"
                    raise IncidentError(busy) from error
                sleep(POLL_SECONDS)
            except OSError as error:
                raise IncidentError(f"{self._path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.close()

    def _write(self, incidents: Iterable[Incident]) -> None:
        content = incidents_text(incidents).encode()
        if len(content) > MAX_BYTES:
            raise IncidentError(
                f"{self._path}: is full ({MAX_BYTES >> 10} KiB); remove old incidents"
            )
        try:
            write(self._path, content, MODE, durable=True)
        except OSError as error:
            raise IncidentError(f"{self._path}: {error.strerror or error}") from error


def incidents_text(incidents: Iterable[Incident]) -> str:
    """Return the content of a file; IncidentError if it could not be read again."""
    lines: list[str] = []
    for each in incidents:
        document = {key: value for key, value in incident_document(each).items() if value}
        problems = Problems()
        fill_struct(_Entry, document, "", problems)
        if problems.lines:
            raise IncidentError("; ".join(problems.lines))
        lines.append(f"- {flow(document)}\n")
    return HEAD + "".join(lines)


def _incidents(file: _File) -> list[Incident]:
    return [
        Incident(
            id=each.id or place,
            target=each.target,
            began=each.began.timestamp(),
            ended=_seconds(each.ended),
            note=each.note,
            by=each.by,
            marked_at=_seconds(each.marked),
        )
        for place, each in enumerate(file.incidents or (), 1)
    ]


def _seconds(at: datetime | None) -> EpochSeconds | None:
    return None if at is None else at.astimezone(UTC).timestamp()


def _with_id(found: Sequence[Incident], number: int, path: Path) -> Incident:
    for each in found:
        if each.id == number:
            return each
    known = ", ".join(str(each.id) for each in found[-9:]) or "none"
    raise IncidentError(f"{path}: there is no incident {number}; the newest are: {known}")
