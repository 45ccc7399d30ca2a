"""Writes to nodes while a block lasts: a lag of replication shows only if there are changes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from demo.node import Node


@contextlib.contextmanager
def steady_writes(*nodes: Node, pause_seconds: float) -> Iterator[None]:
    """Write to the nodes every `pause_seconds` while the block lasts."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(pause_seconds):
            for node in nodes:
                node.write()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()
