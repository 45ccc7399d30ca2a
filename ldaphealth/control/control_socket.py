"""The control socket at its path, also after the path or its directory was removed.

agent/assembly.py starts it. server.py answers on it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from ldaphealth.control.requests import ControlRequest, ControlResponse
from ldaphealth.control.server import ControlServer

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0


class ControlSocket:
    """Listens until `close`. A socket that was removed or replaced is made again.

    `prepare` makes its directory again before. LookupError, OSError: as in `ControlServer`, at the
    start only. Later they are logged, and the socket is tried again.
    """

    def __init__(
        self,
        path: Path,
        group: str,
        answer: Callable[[ControlRequest], ControlResponse],
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._group, self._answer, self._prepare = path, group, answer, prepare
        self._closed = threading.Event()
        self._server = ControlServer(path, group, answer)
        self._thread = threading.Thread(target=self._watch, name="socket", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system refuses another thread
            self._server.close()
            raise

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._closed.set()
        self._thread.join(WATCH_SECONDS)
        self._server.close()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            if not self._server.is_current:
                self._listen_again()

    def _listen_again(self) -> None:
        try:
            self._prepare()
            server = ControlServer(self._path, self._group, self._answer)
        except Exception as error:  # no error may end the thread
            message = "the control socket was removed, and cannot be made again"
            log.error(message, extra={"path": str(self._path), "error": str(error)})  # noqa: TRY400
            return
        before, self._server = self._server, server
        log.warning("the control socket was removed; it is back", extra={"path": str(self._path)})
        before.close()
