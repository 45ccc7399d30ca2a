"""Servers that accept connections and never answer, on every address of loopback."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

BACKLOG = 4096


@contextlib.contextmanager
def silent_servers() -> Iterator[int]:
    """Accept and discard in a thread; give the port."""
    with socket.create_server(("", 0), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        ends, end = socket.socketpair()
        thread = threading.Thread(target=_run, args=(listener, ends))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            end.close()
            thread.join()
            ends.close()


def _run(listener: socket.socket, ends: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(ends, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is ends:
                    _close_all(selector, (listener, ends))
                    return
                if key.fileobj is listener:
                    with contextlib.suppress(OSError):
                        connection, _ = listener.accept()
                        selector.register(connection, selectors.EVENT_READ)
                    continue
                assert isinstance(key.fileobj, socket.socket)
                if not _is_open(key.fileobj):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def _is_open(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(4096))
    except OSError:
        return False


def _close_all(selector: selectors.BaseSelector, but: tuple[socket.socket, ...]) -> None:
    for key in [*selector.get_map().values()]:
        if isinstance(key.fileobj, socket.socket) and key.fileobj not in but:
            key.fileobj.close()
