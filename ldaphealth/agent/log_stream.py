"""Writes lines to standard error without waiting for who reads them.

A pipe whose reader has stopped (a log driver, journald on a disk that hangs, a terminal after
Ctrl-S) is full after 64 KiB, and then write(2) waits. If the agent's thread waited with it, no
server would be probed any more.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TextIO

MOST_LINES = 1000  # that wait for the reader
PAUSE_SECONDS = 0.05  # until a descriptor is tried again that somebody has made non-blocking
# For so long a line is waited for: then lines are there when the program ends. After one that was
# not written in this time none is waited for until all are.
WAIT_SECONDS = 0.2
END_SECONDS = 1.0  # at the end of the program, of the two that it may take


class LogStream:
    """What a `logging.StreamHandler` writes to. A thread writes the lines to `stream`.

    Any thread may call it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._is_written = True  # all that was handed over
        self._is_stuck = False
        self._lost = 0
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system refuses it
            self._has_thread = False
        else:
            self._has_thread = True

    def write(self, text: str) -> None:
        """Hand a line over."""
        if not self._has_thread:
            _write(self._stream, text)
            return
        with self._changed:
            if len(self._lines) >= MOST_LINES:
                self._lost += 1
                return
            self._is_written = False
            self._lines.append(text)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait for a moment until all lines are written."""
        with self._changed:
            if not self._is_stuck:
                self._is_stuck = not self._changed.wait_for(lambda: self._is_written, WAIT_SECONDS)

    def close(self) -> None:
        """Wait for END_SECONDS at most until all lines are written."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_written, END_SECONDS)

    def take_lost(self) -> int:
        """Return how many lines were lost because too many waited, once they are read again."""
        with self._changed:
            if self._is_stuck:
                return 0
            lost, self._lost = self._lost, 0
            return lost

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._lines:
                    self._is_written, self._is_stuck = True, False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._lines)
                text = self._lines.popleft()
            _write(self._stream, text)


def _write(stream: TextIO, text: str) -> None:
    """Write it. Who closed the other end does not want it."""
    with suppress(OSError, ValueError):
        try:
            number = stream.fileno()
        except OSError:  # a stream in memory
            stream.write(text)
            return
        # Not by the stream: its lock would hold up the end of the program.
        octets = text.encode(stream.encoding, stream.errors or "strict")
        while octets:
            try:
                octets = octets[os.write(number, octets) :]
            except BlockingIOError:
                time.sleep(PAUSE_SECONDS)
