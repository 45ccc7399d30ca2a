"""The TLS sessions with servers that a later connection may resume (RFC 8446 2.2).

The setting `tls.resume_seconds` enables it. One connection at a time resumes that of a server: it
takes the TLS session, and gives it back after an orderly end. What is not given back is not resumed
for an hour: a server, or what is between, that fails with it must not fail in every other round.
"""

from __future__ import annotations

import ssl
from typing import TypeAlias

from msgspec import Struct

from ldaphealth.clocks import BootSeconds

MOST_KEPT = 4096  # of some KiB each
PAUSE_SECONDS = 3600.0

Place: TypeAlias = tuple[str, str]  # the URI of a server, and the name in its certificate


class KeptSession(Struct, frozen=True):
    """A TLS session, and when its whole handshake was, in which the server proved its name.

    `requests_certificate`: the server requested a client certificate in that handshake.
    """

    session: ssl.SSLSession
    since: BootSeconds
    requests_certificate: bool


class TlsSessions:
    """Those of one context, since OpenSSL refuses them in another one. Threads may share it."""

    def __init__(self) -> None:
        self._kept: dict[Place, KeptSession] = {}
        self._taken_at: dict[Place, BootSeconds] = {}

    def __len__(self) -> int:
        """Return the number of servers of which something is known."""
        return len(self._kept) + len(self._taken_at)

    def take(self, place: Place, now: BootSeconds, resume_seconds: float) -> KeptSession | None:
        """Return the session to resume; None without one, or if it is older."""
        kept = self._kept.pop(place, None)
        if kept is None or now - kept.since >= resume_seconds:
            return None
        self._taken_at[place] = now
        return kept

    def give_back(self, place: Place, kept: KeptSession) -> None:
        """Keep the session of a connection that took one, which worked."""
        self._taken_at.pop(place, None)
        self._keep(place, kept)

    def offer(self, place: Place, kept: KeptSession) -> None:
        """Keep the session of a connection that took none, unless another one did."""
        taken_at = self._taken_at.get(place)
        if taken_at is not None and kept.since - taken_at < PAUSE_SECONDS:
            return
        self._taken_at.pop(place, None)
        self._keep(place, kept)

    def _keep(self, place: Place, kept: KeptSession) -> None:
        if len(self) >= MOST_KEPT:  # most are of servers that are gone
            self._kept.clear()
            self._taken_at.clear()
        self._kept[place] = kept
