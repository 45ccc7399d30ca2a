"""The TLS sessions with servers that a later connection may resume (RFC 8446 2.2).

The setting `tls.resume_seconds` asks for it. A connection takes the session that it resumes, and
puts it back after an orderly end, so the handshake after a failure is a whole one.

TLS 1.3 only: for each use Python copies a session with what is in it, and that of TLS 1.2 contains
the certificates, so that to resume one takes longer than the whole handshake.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from typing import TypeAlias

from msgspec import Struct

from ldaphealth.clocks import RunningSeconds

MOST_KEPT = 4096  # of 2 KiB each

Place: TypeAlias = tuple[str, str]  # the URI of a server, and the name in its certificate


class KeptSession(Struct, frozen=True):
    """A TLS session, and when its whole handshake was, in which the server proved its name.

    `requests_certificate`: the server requested a client certificate in that handshake.
    """

    session: ssl.SSLSession
    since: RunningSeconds
    requests_certificate: bool


class TlsSessions:
    """Those of one context, since OpenSSL refuses them in another one. Threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Place, KeptSession] = OrderedDict()  # its operations are atomic

    def take(self, place: Place, now: RunningSeconds, resume_seconds: float) -> KeptSession | None:
        """Return the session to resume and forget it; None without one, or if it is older."""
        kept = self._kept.pop(place, None)
        if kept is None or now - kept.since >= resume_seconds:
            return None
        return kept

    def put(self, place: Place, kept: KeptSession) -> None:
        """Keep a session; the one that was kept first is dropped if there are too many."""
        self._kept[place] = kept
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
