"""The history on a disk of its own, for several tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.store.disk import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield a disk; its histories are closed at the end, and their log lines are not shown."""
    loggers = [
        logging.getLogger(f"ldaphealth.store.{name}") for name in ("history", "history_file")
    ]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        yield Disk(tmp_path / "state", stack)
    for each in loggers:
        each.setLevel(logging.NOTSET)
