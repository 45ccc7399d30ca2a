"""The file of a workload that settings name, and its content once it has been read.

It imports little: a one-shot check loads it with the settings and needs no content.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldaphealth.workload.shape import Workload


class WorkloadFile:
    """A path, and the content: None in a process that does not need it, such as a one-shot check.

    `digest` is of the content, so what was seen with another one is not compared. Files are equal
    if path and digest are. `Workload.in_file` returns one with content.
    """

    __slots__ = ("content", "digest", "path")

    def __init__(self, path: Path, content: Workload | None = None, digest: str = "") -> None:
        self.path, self.content, self.digest = path, content, digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkloadFile) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"WorkloadFile({str(self.path)!r}, digest={self.digest[:8]!r})"

    @property
    def _key(self) -> tuple[Path, str]:
        return self.path, self.digest
