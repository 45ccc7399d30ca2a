"""The user at the other end of a Unix socket: who sets and removes overrides.

server.py calls it for the requests of operators.
"""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Callable
from concurrent.futures import TimeoutError as NoNameInTime

from ldaphealth.text.printable import printable
from ldaphealth.workers import Workers

CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): process, user, group
LOOKUP_SECONDS = 1.0


def _name_of(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


class PeerUsers:
    """Names the users of connections by SO_PEERCRED of unix(7). Any thread may call it.

    nsswitch.conf(5) may look names up in the very LDAP servers that do not answer, so a look-up has
    a deadline, and those that hang occupy one thread. Without a name the user is `uid 1000`.
    """

    def __init__(
        self, name_of: Callable[[int], str] = _name_of, timeout_seconds: float = LOOKUP_SECONDS
    ) -> None:
        self._name_of, self._timeout_seconds = name_of, timeout_seconds
        self._threads: Workers | None = None

    def user(self, connection: socket.socket) -> str:
        """Return the name of the user who opened the connection. OSError: it has no peer."""
        size = CREDENTIALS.size
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, uid, _ = CREDENTIALS.unpack(packed)
        return self.name(uid)

    def name(self, uid: int) -> str:
        """Return the name of a user."""
        return self._named(uid) or f"uid {uid}"

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _named(self, uid: int) -> str:
        try:
            self._threads = self._threads or Workers("user", 1)
            found = self._threads.submit(self._name_of, uid)
        except RuntimeError:  # the system refuses a thread, or the socket is being closed
            return ""
        try:
            return printable(found.result(self._timeout_seconds))  # it may not be UTF-8
        except (KeyError, OSError, NoNameInTime):
            found.cancel()
            return ""
