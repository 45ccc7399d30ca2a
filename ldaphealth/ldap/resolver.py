"""The addresses of a host, under a deadline. session.py and cli/generated_file.py call it.

getaddrinfo(3) has no timeout: it takes 40 s if no name server answers. So it runs in a thread, at
most once at a time for each host. The sessions that need the same host share its result.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from threading import Lock

from ldaphealth import waiting
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Failure, FailureKind
from ldaphealth.workers import Workers

MOST_LOOKUPS = 64  # at the same time

Address = tuple[socket.AddressFamily, str | tuple[str, int] | tuple[str, int, int, int]]
Found = list[Address] | OSError


class _Lookups:
    """The lookups in progress. Its threads start with the first lookup of a name."""

    def __init__(self) -> None:
        self._threads: Workers | None = None
        self._running: dict[Endpoint, Future[Found]] = {}
        self._changing = Lock()

    def start(self, endpoint: Endpoint) -> Future[Found]:
        """Return the lookup of this host in progress, or a new one.

        RuntimeError: the system refuses the first thread.
        """
        with self._changing:
            running = self._running.get(endpoint)
            if running is not None:
                return running
            if self._threads is None:
                self._threads = Workers("resolve", MOST_LOOKUPS)
            lookup = self._running[endpoint] = self._threads.submit(self._look_up, endpoint)
            return lookup

    def _look_up(self, endpoint: Endpoint) -> Found:
        try:
            return _getaddrinfo(endpoint, 0)
        finally:
            with self._changing:
                del self._running[endpoint]


_lookups = _Lookups()


def resolve(endpoint: Endpoint, deadline: Deadline) -> list[Address]:
    """Return the addresses of a host in the order of getaddrinfo(3) (RFC 6724)."""
    if endpoint.is_socket:
        return [(socket.AF_UNIX, endpoint.host)]
    with suppress(OSError):
        return [*_numeric(endpoint)]
    try:
        lookup = _lookups.start(endpoint)
    except RuntimeError as error:
        raise _failed(f"cannot resolve {endpoint.host} on this host: {error}") from error
    if not waiting.for_future(lookup, deadline.left(f"the look-up of {endpoint.host}")):
        raise _failed(f"no answer within {deadline.seconds:g} s to the look-up of {endpoint.host}")
    answer = lookup.result()
    if isinstance(answer, OSError):
        raise _failed(f"cannot resolve {endpoint.host}: {answer.strerror}") from answer
    return answer


def _numeric(endpoint: Endpoint) -> Sequence[Address]:
    """Return the address of a host that is one already; OSError if it is a name.

    That of an interface (RFC 4007 11) changes when the interface is made anew.
    """
    return _read_numeric(endpoint) if "%" in endpoint.host else _read_once(endpoint)


def _read_numeric(endpoint: Endpoint) -> Sequence[Address]:
    found = _getaddrinfo(endpoint, socket.AI_NUMERICHOST)
    if isinstance(found, OSError):
        try:
            raise found
        finally:
            del found  # its traceback has this frame: a cycle
    return found


_read_once = lru_cache(maxsize=4096)(_read_numeric)


def _failed(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.RESOLVE, detail, is_local=True))


def _getaddrinfo(endpoint: Endpoint, flags: int) -> Found:
    # With octets of ASCII, Python needs no codec for internationalized names.
    host = endpoint.host.encode() if endpoint.host.isascii() else endpoint.host
    try:
        found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        return error.with_traceback(None)  # its traceback has the frames of the callers: a cycle
    except UnicodeError as error:  # a label longer than DNS allows
        return OSError(0, str(error))
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
