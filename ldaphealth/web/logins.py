"""The checks of credentials: few at a time for each client address, slow and logged when wrong.

So passwords cannot be guessed at speed, and an operator sees from where somebody tries. app.py
calls it in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from time import monotonic

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.web.access import HttpCredentials
from ldaphealth.workers import Workers

log = logging.getLogger(__name__)

DELAY_SECONDS = 1.0  # of the answer to wrong credentials
MOST_AT_A_TIME = 2  # of an address; so it can try twice in DELAY_SECONDS
MOST_WAITING = 6  # of an address; others are refused unchecked
MOST_ADDRESSES = 1024
MOST_ACCEPTED = 64  # headers that are remembered
LOG_SECONDS = 60.0  # between two lines about one address
MOST_LINES = 10  # in LOG_SECONDS, about all addresses
IPV6_NETWORK_BITS = 64  # a client may have all addresses of it (RFC 6177)


class TooManyLoginsError(Exception):
    """Too many requests of this address wait until their credentials are checked."""


class _Address:
    """What is known of one client address."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(MOST_AT_A_TIME)
        self.pending = 0
        self.wrong = 0  # since the last line in the log
        self.logged_at: MonotonicSeconds = -LOG_SECONDS


class Logins:
    """Accepted headers are remembered, so a client with valid credentials never waits twice."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], MonotonicSeconds] = monotonic,
    ) -> None:
        self._sleep, self._now = sleep, now
        self._threads = Workers("password", 1)  # bcrypt takes a CPU
        self._key = secrets.token_bytes(32)
        self._accepted: OrderedDict[bytes, HttpCredentials] = OrderedDict()
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._lines: list[MonotonicSeconds] = []

    async def accept(self, credentials: HttpCredentials, authorization: str, host: str) -> bool:
        """Return whether the header is right; False after DELAY_SECONDS.

        TooManyLoginsError: it was not checked, because others of this address wait.
        """
        digest = blake2b(authorization.encode(), key=self._key).digest()
        if self._accepted.get(digest) is credentials:  # a reload makes other ones
            return True
        address = self._address(host)
        if address.pending >= MOST_AT_A_TIME + MOST_WAITING:
            raise TooManyLoginsError
        address.pending += 1
        try:
            async with address.turns:
                if await self._check(credentials, authorization):
                    self._accepted[digest] = credentials
                    if len(self._accepted) > MOST_ACCEPTED:
                        self._accepted.popitem(last=False)
                    return True
                self._log(address, host)
                await self._sleep(DELAY_SECONDS)
                return False
        finally:
            address.pending -= 1

    async def _check(self, credentials: HttpCredentials, authorization: str) -> bool:
        if not credentials.hashed:
            return credentials.accept(authorization)
        check = self._threads.submit(credentials.accept, authorization)
        return await asyncio.wrap_future(check)

    def _address(self, host: str) -> _Address:
        network = network_of(host)
        address = self._addresses.pop(network, None) or _Address()
        self._addresses[network] = address  # the newest last
        if len(self._addresses) > MOST_ADDRESSES:
            idle = (key for key, each in self._addresses.items() if not each.pending)
            self._addresses.pop(next(idle, network))
        return address

    def _log(self, address: _Address, host: str) -> None:
        """Log one line a minute for an address, with the count since the last one."""
        address.wrong += 1
        now = self._now()
        self._lines = [each for each in self._lines if now - each < LOG_SECONDS]
        if now - address.logged_at < LOG_SECONDS or len(self._lines) >= MOST_LINES:
            return
        log.warning("wrong credentials by HTTP", extra={"address": host, "count": address.wrong})
        address.wrong, address.logged_at = 0, now
        self._lines.append(now)


def network_of(host: str) -> str:
    """Return the address of an IPv4 client, and the network of an IPv6 client."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # no TCP address, as in tests without a socket
        return host
    if address.version == 4:  # noqa: PLR2004
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_NETWORK_BITS), strict=False))
