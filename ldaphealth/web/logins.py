"""The checks of credentials: few at a time for each client address, slow and logged when wrong.

So passwords cannot be guessed at speed, and an operator sees from where somebody tries. app.py
calls it in the event loop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from time import monotonic

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.web.access import HttpCredentials
from ldaphealth.web.address_log import MOST_ADDRESSES, AddressLog, network_of
from ldaphealth.workers import Workers

DELAY_SECONDS = 1.0  # of the answer to wrong credentials
MOST_AT_A_TIME = 2  # of an address; so it can try twice in DELAY_SECONDS
MOST_WAITING = 6  # of an address; others are refused unchecked
MOST_ACCEPTED = 64  # headers that are remembered


class TooManyLoginsError(Exception):
    """Too many requests of this address wait until their credentials are checked."""


class _Address:
    """What is known of one client address."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(MOST_AT_A_TIME)
        self.pending = 0


class Logins:
    """Accepted headers are remembered, so a client with valid credentials never waits twice."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], MonotonicSeconds] = monotonic,
    ) -> None:
        self._sleep = sleep
        self._log = AddressLog("wrong credentials by HTTP", now)
        self._threads = Workers("password", 1)  # bcrypt takes a CPU
        self._key = secrets.token_bytes(32)
        self._accepted: OrderedDict[bytes, HttpCredentials] = OrderedDict()
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

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
                self._log.warn(host)
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
