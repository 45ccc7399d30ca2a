"""Delays searches: a listener to which slapd's sock overlay sends a request before each search.

`Node.slow_searches` starts one; slapd-sock(5) has the protocol.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from pathlib import Path

INTERNAL = b"msgid: 0\n"  # searches of slapd itself, such as syncrepl looking for an entryUUID


class Slowness(socketserver.ThreadingUnixStreamServer):
    """Answers CONTINUE after `seconds`, which may be a fraction and may be changed at any time.

    The bind DN in `exempt` is not delayed: replication and the harness use it. Each waiting search
    occupies one of slapd's threads, as with a slow disk.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path: Path, seconds: float, exempt: str) -> None:
        super().__init__(str(path), Request)
        self._path = path
        self.seconds = seconds
        self.exempt = exempt.encode()
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def release(self) -> None:
        """Let every waiting search continue at once, and delay none from now on."""
        self.released.set()

    def close(self) -> None:
        """Stop listening; slapd must not send requests any more."""
        self.release()
        self.shutdown()
        self.server_close()
        self._path.unlink(missing_ok=True)


class Request(socketserver.StreamRequestHandler):
    """One request: lines up to an empty one."""

    server: Slowness

    def handle(self) -> None:
        """Wait, then let slapd continue."""
        lines = list(iter(self.rfile.readline, b"\n"))
        if INTERNAL not in lines and b"binddn: %s\n" % self.server.exempt not in lines:
            self.server.released.wait(self.server.seconds)
        with contextlib.suppress(OSError):  # slapd was killed meanwhile
            self.wfile.write(b"CONTINUE\n")
