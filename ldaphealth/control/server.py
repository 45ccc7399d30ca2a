"""The control socket of the agent: one request and one response, each one line of JSON.

A fixed set of threads serves a bounded number of clients at a time. The group of the socket may use
it. control_socket.py starts the server, and another one if the socket is removed.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ldaphealth.control.peer_user import PeerUsers
from ldaphealth.control.requests import (
    MAX_REQUEST_BYTES,
    ControlRequest,
    ControlResponse,
    OperatorRequest,
)
from ldaphealth.workers import Workers

log = logging.getLogger(__name__)

CLIENT_SECONDS = 5.0  # for a client to send its request, and again to receive the response
MOST_CLIENTS = 16
PAUSE_SECONDS = 0.1  # when the process has no descriptor left
MODE = 0o660
BUSY = (
    msgspec.json.encode(ControlResponse(error="the agent is busy; nothing was done; try again"))
    + b"\n"
)


class ControlServer(socketserver.UnixStreamServer):
    """Listens until `close`. `answer` is called in the thread that serves the client.

    LookupError: there is no such group. OSError: the socket cannot be created, or may not be given
    to the group. Then nothing listens and no socket is left.
    """

    request_queue_size = MOST_CLIENTS

    def __init__(
        self, path: Path, group: str, answer: Callable[[ControlRequest], ControlResponse]
    ) -> None:
        self._path = path
        self._clients = threading.BoundedSemaphore(MOST_CLIENTS)
        self.answer, self.users = answer, PeerUsers()
        path.unlink(missing_ok=True)  # of an agent that was killed: this one holds the lock
        super().__init__(str(path), _Client, bind_and_activate=False)
        # As a daemon it does not delay the end of an agent that cannot start.
        serve = threading.Thread(
            target=self.serve_forever, args=(0.1,), name="control", daemon=True
        )
        try:
            self._threads = Workers("client", MOST_CLIENTS)
            self._listen(group)
            serve.start()
        except BaseException:
            self.server_close()
            path.unlink(missing_ok=True)
            raise

    def _listen(self, group: str) -> None:
        self.server_bind()
        if group:
            shutil.chown(self._path, group=group)
        self._path.chmod(MODE)
        self._identity = _identity(self._path)
        self.server_activate()  # listen(2): nothing can connect before

    @property
    def is_current(self) -> bool:
        """Return whether the path still leads to this socket."""
        try:
            return _identity(self._path) == self._identity
        except OSError:
            return False

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a client. OSError: accept(2) has no descriptor for it; socketserver goes on."""
        try:
            return super().get_request()
        except OSError as error:
            log.error("cannot accept connections on the socket", extra={"error": str(error)})  # noqa: TRY400
            time.sleep(PAUSE_SECONDS)  # the connection still waits, so the next try comes at once
            raise

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        """Refuse more clients than there are threads for."""
        if self._clients.acquire(blocking=False):
            return True
        if isinstance(request, socket.socket):
            with contextlib.suppress(OSError):
                request.setblocking(False)
                request.recv(MAX_REQUEST_BYTES)  # unread data would reset the connection
                request.send(BUSY)
        return False

    def process_request(self, request: Any, client_address: object) -> None:
        """Have a thread serve the client, which `verify_request` has admitted."""
        try:
            self._threads.submit(self._serve, request, client_address)
        except BaseException:
            self._clients.release()
            raise

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self._clients.release()
            self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log at level DEBUG only: a client that disconnects is no error."""
        log.debug("a client disconnected")

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self.shutdown()
        self.server_close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.users.close()
        if self.is_current:
            self._path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int, int]:
    """Return what differs from the next file at the path, which may get the same inode number."""
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


class _Client(socketserver.StreamRequestHandler):
    server: ControlServer
    connection: socket.socket
    timeout = CLIENT_SECONDS

    def handle(self) -> None:
        line = self._line()
        self.wfile.write(msgspec.json.encode(self._answer(line)) + b"\n")

    def _line(self) -> bytes:
        """Return one line, or what was received of it within the time limit for the whole line."""
        until = time.monotonic() + CLIENT_SECONDS
        received = bytearray()
        while b"\n" not in received and len(received) <= MAX_REQUEST_BYTES:
            self.connection.settimeout(max(0.001, until - time.monotonic()))
            chunk = self.connection.recv(MAX_REQUEST_BYTES + 1 - len(received))
            if not chunk:
                break
            received += chunk
        self.connection.settimeout(CLIENT_SECONDS)
        line, end, _ = bytes(received).partition(b"\n")
        return line + end

    def _answer(self, line: bytes) -> ControlResponse:
        if not line.endswith(b"\n"):
            return ControlResponse(
                error=f"a request is one line of at most {MAX_REQUEST_BYTES} bytes"
            )
        try:
            request = msgspec.json.decode(line, type=ControlRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return ControlResponse(error=f"not a valid request: {error}")
        try:
            if isinstance(request, OperatorRequest):
                by = self.server.users.user(self.connection)
                request = msgspec.structs.replace(request, by=by)
            return self.server.answer(request)
        except Exception:
            log.exception("a request failed", extra={"request": type(request).__name__})
            return ControlResponse(error="internal error of the agent; see its log")
