"""The file of a workload that settings name, and its content once it has been read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import json

from ldaphealth.workload.shape import Workload


class WorkloadFile:
    """A path, and the content: None in a process that does not need it, such as a one-shot check.

    `digest` is of the content, so what was seen with another one is not compared. Files are equal
    if path and content are.
    """

    __slots__ = ("content", "digest", "path")

    def __init__(self, path: Path, content: Workload | None = None) -> None:
        self.path, self.content = path, content
        self.digest = "" if content is None else hashlib.sha256(json.encode(content)).hexdigest()

    def with_content(self, content: Workload) -> WorkloadFile:
        """Return the file after it was read."""
        return WorkloadFile(self.path, content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkloadFile) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"WorkloadFile({str(self.path)!r}, digest={self.digest[:8]!r})"

    @property
    def _key(self) -> tuple[Path, str]:
        return self.path, self.digest
