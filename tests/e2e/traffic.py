"""Clients that search through a virtual address without end, and what came of each search.

`tests/e2e/scenario.py` runs them beside keepalived. The client speaks LDAP by hand (RFC 4511): it
shares no code with what is being tested, and ldapsearch(1) would cost 80 ms of CPU in the guest.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from demo.node import Node
from demo.tree import CHECK_DN, CHECK_PASSWORD, person

# Not the address from which checks connect to the servers themselves: the kernel would take the
# answer to a check for one to a client that lately had the same port, and the check would fail.
SOURCE = ("127.0.0.8", 0)
HELD_TIMEOUT_SECONDS = 5.0
HOLD_ATTEMPTS = 100
STALE_SECONDS = 5.0
OK, STALE, ERROR = "ok", "stale", "error"
STAMP = re.compile(rb"ldap\d+ (\d{19}) ")  # what Node.write writes: its name, the time in ns


@contextlib.contextmanager
def repeating(work: Callable[[], object], pause_seconds: float) -> Iterator[None]:
    """Do something again and again in a thread of its own; if it failed, raise that at the end."""
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(pause_seconds):
            work()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(repeat)
        try:
            yield
        finally:
            stopped.set()
        done.result()


class Writer:
    """Changes that person again and again at one server."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._acknowledged: list[tuple[float, int]] = []  # when, and the stamp of the write

    def write(self) -> None:
        """Write once."""
        stamp = self._node.write()
        self._acknowledged.append((time.monotonic(), stamp))

    def is_stale(self, stamp: int, began: float) -> bool:
        """Return whether a write is missing that was acknowledged long before a search began.

        `stamp` is that of the write that was found. The one in progress is not acknowledged. By
        order, and not by the time of day, which a fault changes.
        """
        stamps = [each for _, each in self._acknowledged]
        due = sum(at <= began - STALE_SECONDS for at, _ in self._acknowledged)
        return stamp in stamps and stamps.index(stamp) < due - 1


@dataclass(eq=False, slots=True)
class Client:
    """Reads one person, each time with a new connection, which so may go to any server."""

    address: tuple[str, int]
    timeout_seconds: float
    writer: Writer
    outcomes: list[tuple[float, str]] = field(default_factory=list)

    def search(self) -> None:
        """Search once; STALE is an answer that lacks a write of some seconds ago."""
        began = time.monotonic()
        try:
            with socket.create_connection(self.address, self.timeout_seconds, SOURCE) as connection:
                _exchange(connection, BIND, began + self.timeout_seconds)
                answer = _exchange(connection, SEARCH, began + self.timeout_seconds)
        except OSError:
            self.outcomes.append((began, ERROR))
            return
        written = STAMP.search(answer)
        is_stale = written is not None and self.writer.is_stale(int(written[1]), began)
        self.outcomes.append((began, STALE if is_stale else OK))

    def between(self, begin: float, end: float) -> list[str]:
        """Return the outcomes of the searches that began in this time."""
        return [outcome for began, outcome in self.outcomes if begin <= began < end]


class Held:
    """One connection that stays open, and searches on it.

    `is_wanted` says of the port of a client whether it was sent to the right server: connections
    are opened until one is. Raises OSError, and LookupError if none is.
    """

    def __init__(self, address: tuple[str, int], is_wanted: Callable[[int], bool]) -> None:
        self.outcomes: list[str] = []
        for _ in range(HOLD_ATTEMPTS):
            self._connection = socket.create_connection(address, HELD_TIMEOUT_SECONDS, SOURCE)
            if is_wanted(self._connection.getsockname()[1]):
                break
            self._connection.close()
        else:
            raise LookupError(f"{HOLD_ATTEMPTS} connections and none to the right server")
        _exchange(self._connection, BIND, time.monotonic() + HELD_TIMEOUT_SECONDS)

    def search(self) -> None:
        """Search once."""
        try:
            _exchange(self._connection, SEARCH, time.monotonic() + HELD_TIMEOUT_SECONDS)
        except OSError:
            self.outcomes.append(ERROR)
        else:
            self.outcomes.append(OK)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, len(content))) + content  # nothing here has 128 bytes or more


def _message(number: int, operation: bytes) -> bytes:
    return _tlv(0x30, _tlv(0x02, bytes((number,))), operation)


def _success(tag: int) -> bytes:
    return _tlv(tag, _tlv(0x0A, b"\0"), _tlv(0x04), _tlv(0x04))


# A request and how the answer to it ends.
BIND = (
    _message(
        1,
        _tlv(
            0x60,
            _tlv(0x02, b"\3"),
            _tlv(0x04, CHECK_DN.encode()),
            _tlv(0x80, CHECK_PASSWORD.encode()),
        ),
    ),
    _success(0x61),
)
SEARCH = (
    _message(
        2,
        _tlv(
            0x63,
            _tlv(0x04, person(1).encode()),
            _tlv(0x0A, b"\0"),
            _tlv(0x0A, b"\0"),
            _tlv(0x02, b"\0"),
            _tlv(0x02, b"\0"),
            _tlv(0x01, b"\0"),
            _tlv(0x87, b"objectClass"),
            _tlv(0x30, _tlv(0x04, b"description")),
        ),
    ),
    _success(0x65),
)


def _exchange(connection: socket.socket, exchange: tuple[bytes, bytes], until: float) -> bytes:
    """Ask and return the answer; raise OSError if it is late or not a success."""
    request, success = exchange
    connection.sendall(request)
    answer = b""
    while not answer.endswith(success):
        connection.settimeout(max(0.001, until - time.monotonic()))
        received = connection.recv(4096)
        if not received:
            raise ConnectionError("the server closed the connection")
        answer += received
    return answer
