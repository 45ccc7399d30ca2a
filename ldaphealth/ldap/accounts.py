"""How often a password is tried: what the servers of a cluster have said of it so far.

A server locks an account after a few binds with a wrong password (`pwdMaxFailure`,
slapo-ppolicy(5)), and replication may count those at all servers together. So after a refusal one
other server is tried, which shows whether the password is wrong or that server. If it refuses as
well, no server is tried until a pause has passed, then one. All sessions of a process share one
`Accounts`. Another password of the same account begins anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from math import inf
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds, boot_seconds
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import Failure, Server
from ldaphealth.text.duration import duration
from ldaphealth.waiting import Signal

OPINIONS = 2  # servers that refuse a password which none has accepted since: it is wrong
MOST_DOUBLINGS = 4
# A bind that may be the first refusal is waited for, so that not all servers are tried at once.
HANDOVER_SECONDS = 0.5  # then the next server is tried as well: this one may hang
MOST_WAIT_SECONDS = 1.0
WAIT_PART = 0.5  # of the time until the deadline
READ_SECONDS = 3600.0  # between two reads of when the password expires
KEPT_SECONDS = 3600.0  # between two binds that use up grace logins

Key = tuple[str, str, bytes]  # cluster, DN, and a digest that tells passwords apart
DIGEST_KEY = os.urandom(32)  # of this process


class Turn(Enum):
    """What a session that wants to bind does now."""

    TRY = "try"
    WAIT = "wait"  # another bind with this password is in progress, whose end shows more


class Refusal(Struct, frozen=True, kw_only=True):
    """The latest refusal of a password by one server, or what else forbids to use it up.

    `times` counts the refusals in a row. `holds_everywhere`: no other server need be tried.
    """

    server: str
    at: BootSeconds
    retry_at: BootSeconds
    failure: Failure
    times: int = 1
    holds_everywhere: bool = False

    def failure_at(self, server: Server, now: BootSeconds) -> Failure:
        """Return the failure of a session with a server that is not tried now."""
        _, _, name = self.server.partition("/")
        where = "" if self.server == server.id else f" by {name}"
        ago, left = duration(now - self.at), duration(max(1.0, self.retry_at - now))
        when = f"refused{where} {ago} ago, next attempt in {left}"
        if self.holds_everywhere:
            when = f"not tried again for {left}, to use up no grace login"
        return replace(self.failure, detail=f"{self.failure.detail}; {when}")


class AccountState(Struct, frozen=True):
    """What is known of a password: when a server accepted it last, and the refusals."""

    accepted_at: BootSeconds | None = None
    refusals: tuple[Refusal, ...] = ()


UNKNOWN = AccountState()


class Account:
    """One password of one account in one cluster. Times are since the boot.

    A refusal is in doubt while no server has accepted the password since. Then the password may be
    wrong. A refusal that is not in doubt is the problem of its server.
    """

    def __init__(self, retry_after_seconds: float, known: AccountState = UNKNOWN) -> None:
        self.retry_after_seconds = retry_after_seconds
        self._used_at: BootSeconds = 0.0
        self._accepted_at = known.accepted_at
        self._refusals = {each.server: each for each in known.refusals}
        self._trying: dict[str, BootSeconds] = {}
        self._untried: set[str] = set()  # servers that have wanted to bind, without a result yet

    @property
    def state(self) -> AccountState:
        """Return what is known."""
        return AccountState(self._accepted_at, tuple(self._refusals.values()))

    def turn(self, server: str, now: BootSeconds, *, may_wait: bool = True) -> Turn | Refusal:
        """Return what a session with the server does now; a Refusal: it must not bind."""
        self._used_at = now
        own, doubted = self._refusals.get(server), self._doubted()
        if own is None:
            self._untried.add(server)
        is_open = self._accepted_at is not None and not doubted
        if not is_open and may_wait and self._is_tried(now):
            return Turn.WAIT
        if not doubted:
            return own if own is not None and self._is_paused(own, now) else Turn.TRY
        latest = max(doubted, key=lambda each: each.at)
        if any(each.holds_everywhere and now < each.retry_at for each in doubted):
            return latest
        if own is None and len(doubted) < OPINIONS:
            return latest if self._is_tried(now) else Turn.TRY
        due = max(each.retry_at for each in doubted)
        if own is not None and self._untried:
            due += self.retry_after_seconds  # one that has not refused yet is tried first
        return latest if now < due or self._is_tried(now) else Turn.TRY

    def began(self, server: str, now: BootSeconds) -> None:
        """Note that a bind is in progress."""
        self._trying[server] = now

    def ended(self, server: str) -> None:
        """Note that it has ended, whatever its result."""
        self._trying.pop(server, None)
        self._untried.discard(server)

    def accepted(self, server: str, now: BootSeconds) -> None:
        """Note that the server accepted the password."""
        self._accepted_at = now
        self._refusals.pop(server, None)

    def refused(self, server: str, now: BootSeconds, failure: Failure, *, is_guessed: bool) -> None:
        """Note that the server refused it. `is_guessed`: the next attempt may lock the account."""
        own, doubted = self._refusals.get(server), self._doubted()
        before = [each.times for each in doubted] if own or len(doubted) >= OPINIONS else []
        times = 1 + max([*before, own.times if own else 0])
        # The attempt that confirms what a server alone refuses makes the pause no longer.
        is_alone = own is not None and all(each.server == server for each in doubted)
        doublings = min(times - 1 - is_alone, MOST_DOUBLINGS) if is_guessed else 0
        retry_at = now + self.retry_after_seconds * 2**doublings
        self._refusals[server] = Refusal(
            server=server, at=now, retry_at=retry_at, failure=failure, times=times
        )

    def keep(self, server: str, now: BootSeconds, failure: Failure) -> None:
        """Note that each bind, at any server, uses up what the operator may need."""
        retry_at = now + KEPT_SECONDS
        self._refusals[server] = Refusal(
            server=server, at=now, retry_at=retry_at, failure=failure, holds_everywhere=True
        )

    def is_needed(self, now: BootSeconds) -> bool:
        """Return whether there is a refusal to remember, and sessions still use the password."""
        return bool(self._refusals) and now - self._used_at < KEPT_SECONDS

    def retry_soon(self, now: BootSeconds) -> None:
        """End the pauses of refusals that are `retry_after_seconds` old, soon for the others."""
        self._refusals = {
            key: replace(
                each, retry_at=min(each.retry_at, max(now, each.at + self.retry_after_seconds))
            )
            for key, each in self._refusals.items()
        }

    def _doubted(self) -> list[Refusal]:
        since = self._accepted_at
        return [each for each in self._refusals.values() if since is None or each.at >= since]

    def _is_paused(self, own: Refusal, now: BootSeconds) -> bool:
        """Return whether a server that alone refuses is not tried now; one refusal is confirmed."""
        return own.times > 1 and now < own.retry_at

    def _is_tried(self, now: BootSeconds) -> bool:
        return any(now - began < HANDOVER_SECONDS for began in self._trying.values())


class Accounts:
    """The accounts of all clusters. Threads share it.

    `known` returns what an earlier process of this boot knew of the password for a server.
    `lasts`: this process runs for hours, so what it seldom reads is worth a request.
    """

    def __init__(
        self,
        now: Callable[[], BootSeconds] = boot_seconds,
        known: Callable[[Server], AccountState] = lambda _: UNKNOWN,
        *,
        lasts: bool = False,
    ) -> None:
        self._now, self._known, self._lasts = now, known, lasts
        self._expiries: dict[str, tuple[BootSeconds, EpochSeconds | None]] = {}
        self._accounts: dict[Key, Account] = {}
        self._lock = Lock()
        self._ended: Signal | None = None  # the end of the next bind, if a session waits for it

    def begin(self, server: Server, deadline: Deadline) -> Failure | None:
        """Return why the session must not bind now. None: it binds, and calls `end`."""
        until = self._now() + min(MOST_WAIT_SECONDS, WAIT_PART * deadline.left("the bind"))
        while True:
            with self._lock:
                account, now = self._account(server), self._now()
                turn = account.turn(server.id, now, may_wait=now < until)
                if turn is Turn.TRY:
                    account.began(server.id, now)
                    return None
                if isinstance(turn, Refusal):
                    return turn.failure_at(server, now)
                self._ended = self._ended or Signal()
                ended = self._ended
            ended.wait(min(HANDOVER_SECONDS, until - now))

    def end(
        self,
        server: Server,
        failure: Failure | None,
        *,
        is_refused: bool = False,
        is_guessed: bool = False,
    ) -> None:
        """Note the result of a bind.

        `failure` is None if it was accepted. `is_refused`: because of the account or the password.
        """
        with self._lock:
            account, now = self._account(server), self._now()
            account.ended(server.id)
            if failure is None:
                account.accepted(server.id, now)
            elif is_refused:
                account.refused(server.id, now, failure, is_guessed=is_guessed)
            ended, self._ended = self._ended, None
        if ended is not None:
            ended.set()

    def keep(self, server: Server, failure: Failure) -> None:
        """Have no server bind for an hour: each bind would use up a grace login."""
        with self._lock:
            self._account(server).keep(server.id, self._now(), failure)

    def expiry(
        self, server: Server, read: Callable[[], EpochSeconds | None]
    ) -> EpochSeconds | None:
        """Return when the password expires, read once an hour; None if this process is short."""
        if not self._lasts:
            return None
        name = f"{server.id} {server.credentials.dn}"
        read_at, expires = self._expiries.get(name, (-inf, None))
        if self._now() - read_at >= READ_SECONDS:
            expires = read()
            self._expiries[name] = self._now(), expires
        return expires

    def reload(self) -> None:
        """Try refused passwords again soon, and forget what is not used any more."""
        with self._lock:
            now = self._now()
            self._expiries = {}  # the password may be another one
            self._accounts = {
                key: account for key, account in self._accounts.items() if account.is_needed(now)
            }
            for account in self._accounts.values():
                account.retry_soon(now)

    def state_of(self, server: Server) -> AccountState:
        """Return what is known of the password for a server."""
        with self._lock:
            account = self._accounts.get(_key(server))
            return UNKNOWN if account is None else account.state

    def _account(self, server: Server) -> Account:
        key, seconds = _key(server), server.credentials.retry_after_seconds
        if key not in self._accounts:
            self._accounts[key] = Account(seconds, self._known(server))
        self._accounts[key].retry_after_seconds = seconds
        return self._accounts[key]


def _key(server: Server) -> Key:
    """Return the key of an account, without its password: one that was replaced is not kept."""
    from hashlib import blake2b  # noqa: PLC0415  it loads OpenSSL, which anonymous sessions need not

    dn, secret = server.credentials.dn, server.credentials.password
    password = b"" if secret is None else secret.reveal().encode("utf-8", "surrogatepass")
    return server.cluster, dn.lower(), blake2b(password, key=DIGEST_KEY, digest_size=16).digest()
