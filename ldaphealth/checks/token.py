"""A token written at one server and watched for at others side by side: the I/O of propagation.

Facts only. A reader that cannot be read is noted with its trouble and disturbs nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from ldaphealth.checks.canary import TOKEN_ATTRIBUTE
from ldaphealth.checks.own_entry import fresh_token, read_own
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.csn import ATTRIBUTE, CSN, CSNError, parse, parse_vector
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import FailureKind, Server
from ldaphealth.survey import SurveyContext

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

WRITE_SECONDS = 5.0  # for all that comes before the watching, the write included
PREPARE_SECONDS = 2.0  # the writer waits so long for its readers, and not for one that hangs
READ_SECONDS = 2.0  # the last read of a reader may take so long
FIRST_STEP_SECONDS, GROWTH, MOST_STEP_SECONDS = 0.05, 1.25, 0.5
BUDGET_BYTES = 1 << 20  # of one reader: about 40 looks of 0.5 KiB for ten seconds
ENTRY_CSN = "entryCSN"
LAST_SECONDS = 1.0  # for the threads to come home
Outcome = Literal["written", "unwritten", "missing", "foreign"]


class Arrival(Struct, frozen=True, kw_only=True):
    """What was seen of a token at one server.

    `seconds` is the time until its value was there and `csn_seconds` until contextCSN covered it,
    None where that was not seen; `watched_seconds` is how long the server was read for it.
    `is_there`: the entry can be read. `trouble` is why the last read failed.
    """

    seconds: float | None = None
    csn_seconds: float | None = None
    watched_seconds: float = 0.0
    is_there: bool = False
    trouble: str = ""


NOTHING_SEEN = Arrival(trouble="no answer in time")


class TokenResult(Struct, frozen=True, kw_only=True):
    """What became of one write, and of the token at each reader by server ID."""

    outcome: Outcome
    detail: str = ""
    csn: str = ""
    readers: Mapping[str, Arrival] = {}


def longest_seconds(lost_seconds: float) -> float:
    """Return how long `write_and_watch` takes at most, whatever the servers do."""
    return WRITE_SECONDS + lost_seconds + READ_SECONDS + 2 * LAST_SECONDS


class TokenPlan(Struct, frozen=True):
    """Where to write, where the CSNs are (empty: at the suffix), and how long to wait."""

    dn: str
    mark: str
    base: str
    lost_seconds: float


class Token(Struct, frozen=True):
    """What was written and when, in monotonic seconds; `csn` is None where it cannot be read."""

    value: str
    csn: CSN | None
    at: MonotonicSeconds


Context = SurveyContext[Any, Any]


class _Slate:
    """Where the writer leaves the token for its readers; `done` without one: there is none."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self.done = threading.Event()
        self.ready = threading.Semaphore(0)


def write_and_watch(
    site: Context, assignment: TokenPlan, writer: Server, readers: Sequence[Server]
) -> TokenResult:
    """Write a token at one server and watch the others for it."""
    slate = _Slate()
    threads = ThreadPoolExecutor(len(readers), "propagation")
    try:
        try:
            session = site.open(writer, WRITE_SECONDS)
        except SessionError as error:
            return TokenResult(outcome="unwritten", detail=error.failure.detail)
        try:
            found, _ = read_own(session, assignment.dn, assignment.mark)
            if found != "ours":
                return TokenResult(outcome=found)
            eyes = [_Reader(site, assignment, reader, slate) for reader in readers]
            watching = [threads.submit(each.watch) for each in eyes]
            _wait_for_readers(site, slate, len(readers))
            token = slate.token = _written(site, session, assignment)
        except SessionError as error:
            return TokenResult(outcome="unwritten", detail=error.failure.detail)
        finally:
            session.close()
            slate.done.set()
        until = token.at + assignment.lost_seconds + READ_SECONDS + LAST_SECONDS
        while site.deadline.now() < until and not all(each.done() for each in watching):
            site.pause(FIRST_STEP_SECONDS)
        told = {
            reader.id: each.result() if each.done() else NOTHING_SEEN
            for reader, each in zip(readers, watching, strict=True)
        }
    finally:
        slate.done.set()
        threads.shutdown(wait=False, cancel_futures=True)
    return TokenResult(outcome="written", csn=str(token.csn or ""), readers=told)


def _wait_for_readers(site: Context, slate: _Slate, count: int) -> None:
    until = site.deadline.now() + PREPARE_SECONDS
    for _ in range(count):
        slate.ready.acquire(timeout=max(0.0, until - site.deadline.now()))
    site.pause(0.0)


def _written(site: Context, session: Session, assignment: TokenPlan) -> Token:
    value = fresh_token()
    entry = session.replace_and_read(assignment.dn, TOKEN_ATTRIBUTE, value, (ENTRY_CSN,))
    at = site.deadline.now()
    try:
        (text,) = entry.get(ENTRY_CSN.lower(), ())
        return Token(value, parse(text), at)
    except ValueError:  # not shown to us, or no CSN: the value alone must tell
        return Token(value, None, at)


class _Reader:
    """One server that is watched for the token, on a connection of its own."""

    def __init__(self, site: Context, assignment: TokenPlan, server: Server, slate: _Slate) -> None:
        self._site, self._assignment, self._server, self._slate = site, assignment, server, slate
        self._session: Session | None = None
        self._is_refused = False
        self._shows_csn = True
        self._seconds: float | None = None
        self._csn_seconds: float | None = None
        self._watched_seconds = 0.0
        self._is_there = False
        self._trouble = ""

    def watch(self) -> Arrival:
        """Return the seconds until the token was here, None where it was not."""
        try:
            seconds = WRITE_SECONDS + self._assignment.lost_seconds + READ_SECONDS
            self._try(lambda: self._open(seconds))
            self._slate.ready.release()
            self._slate.done.wait(WRITE_SECONDS)
            if self._slate.token is not None:
                self._watch(self._slate.token)
        finally:
            self._close()
        return Arrival(
            seconds=self._seconds,
            csn_seconds=self._csn_seconds,
            watched_seconds=self._watched_seconds,
            is_there=self._is_there,
            trouble=self._trouble,
        )

    def _watch(self, token: Token) -> None:
        now, step = self._site.deadline.now, FIRST_STEP_SECONDS
        until = token.at + self._assignment.lost_seconds
        while not self._is_refused:
            began = now()
            if self._try(lambda: self._probe(token)):
                self._watched_seconds = began - token.at
            if self._has_all(token) or began >= until:
                return
            self._site.pause(min(step, max(0.0, until - now())))
            step = min(step * GROWTH, MOST_STEP_SECONDS)

    def _has_all(self, token: Token) -> bool:
        has_csn = self._csn_seconds is not None or token.csn is None or not self._shows_csn
        return self._seconds is not None and has_csn

    def _try(self, do: Callable[[], None]) -> bool:
        """Do it, and note the trouble; after a refused bind nothing more: it may lock accounts."""
        try:
            do()
        except SessionError as error:
            self._trouble = error.failure.detail
            self._is_refused = error.failure.kind is FailureKind.BIND
            if self._session is not None and not self._session.alive:
                self._close()
            return False
        self._trouble = ""
        return True

    def _probe(self, token: Token) -> None:
        """Look once. The CSN first: who has it and not the value afterwards has skipped it."""
        if self._session is None:
            until = token.at + self._assignment.lost_seconds + READ_SECONDS
            self._open(until - self._site.deadline.now())
        if token.csn is not None and self._csn_seconds is None and self._shows_csn:
            self._look_for_csn(token.csn, token.at)
        if self._seconds is None:
            entry = self._entry(self._assignment.dn, TOKEN_ATTRIBUTE)
            self._is_there = entry is not None
            if entry and token.value in entry.get(TOKEN_ATTRIBUTE, ()):
                self._seconds = self._passed_seconds(token.at)

    def _look_for_csn(self, csn: CSN, at: MonotonicSeconds) -> None:
        entry = self._entry(self._assignment.base or self._server.suffix, ATTRIBUTE) or {}
        try:
            vector = parse_vector(entry.get(ATTRIBUTE.lower(), ()))
        except CSNError:
            vector = {}
        self._shows_csn = bool(vector)
        if csn.sid in vector and vector[csn.sid] >= csn:
            self._csn_seconds = self._passed_seconds(at)

    def _passed_seconds(self, at: MonotonicSeconds) -> float:
        return max(0.0, self._site.deadline.now() - at)

    def _entry(self, dn: str, attribute: str) -> Mapping[str, tuple[str, ...]] | None:
        assert self._session is not None
        try:
            return self._session.read(dn, (attribute,))
        except SessionError as error:
            if error.failure.result_code != "noSuchObject":
                raise
            return None

    def _open(self, seconds: float) -> None:
        self._session = self._site.open(self._server, seconds, BUDGET_BYTES)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
