"""A server behind a network that takes a while, for benchmarks: a forwarder on the loopback.

It runs in threads, so measure the CPU of the thread that probes (`time.thread_time`).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from time import sleep
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16


@contextlib.contextmanager
def far(uri: str, there_and_back_seconds: float) -> Iterator[str]:
    """Give a URI under which the server at `uri` is so far away."""
    target = urlsplit(uri)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    server = socket.create_connection((target.hostname, target.port))
                    for source, sink in ((near, server), (server, near)):
                        ends = (source, sink, there_and_back_seconds / 2)
                        threading.Thread(target=_forward, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _forward(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError), sink:
        while received := source.recv(CHUNK_BYTES):
            sleep(seconds)
            sink.sendall(received)
        sink.shutdown(socket.SHUT_RDWR)
