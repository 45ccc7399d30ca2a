"""The file of a workload that settings name, and its content once it has been read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct, json

from ldaphealth.workload.shape import Workload


class WorkloadFile(Struct, frozen=True):
    """A path, and the content: None in a process that does not need it, such as a one-shot check.

    `digest` is of the content, so what was seen with another one is not compared.
    """

    path: Path
    content: Workload | None = None
    digest: str = ""

    def with_content(self, content: Workload) -> WorkloadFile:
        """Return the file after it was read."""
        return WorkloadFile(self.path, content, hashlib.sha256(json.encode(content)).hexdigest())
