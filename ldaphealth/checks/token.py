"""The I/O of the check `propagation`: write a token at one server, and watch the others for it.

It returns facts without an opinion. The failure of a reader is noted, and does not affect the other
readers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from ldaphealth.checks.canary import TOKEN_ATTRIBUTE
from ldaphealth.checks.own_entry import COPY, fresh_token, is_copy, read_own
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.context_csn import read_context_csn
from ldaphealth.csn import CSN, CSNError, parse, parse_vector
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import FailureKind, Server
from ldaphealth.survey import SurveyContext

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

WRITE_SECONDS = 5.0  # up to the end of the write
PREPARE_SECONDS = 2.0  # for the readers to connect before the write
READ_SECONDS = 2.0  # for the last read of a reader
FIRST_STEP_SECONDS, GROWTH, MOST_STEP_SECONDS = 0.05, 1.25, 0.5
BUDGET_BYTES = 1 << 20  # of one reader, which needs about 40 reads of 0.5 KiB in ten seconds
ENTRY_CSN = "entryCSN"
LAST_SECONDS = 1.0  # for the threads to end
Outcome = Literal["written", "unwritten", "missing", "foreign"]


class Arrival(Struct, frozen=True, kw_only=True):
    """What was seen of a token at one server.

    `seconds` is the time until its value was read and `csn_seconds` until contextCSN included it,
    None if that was not seen. `watched_seconds` is the time from the write to the last read.
    `is_there`: the entry can be read. `error` is the reason if the last read failed.
    """

    seconds: float | None = None
    csn_seconds: float | None = None
    watched_seconds: float = 0.0
    is_there: bool = False
    error: str = field(default="", name="trouble")


NOTHING_SEEN = Arrival(error="no answer in time")


class TokenResult(Struct, frozen=True, kw_only=True):
    """The result of one write, and the arrival of the token at each reader, by server ID."""

    outcome: Outcome
    detail: str = ""
    csn: str = ""
    readers: Mapping[str, Arrival] = {}


def longest_seconds(lost_seconds: float) -> float:
    """Return the seconds that `write_and_watch` takes at most."""
    return WRITE_SECONDS + lost_seconds + READ_SECONDS + 2 * LAST_SECONDS


class TokenPlan(Struct, frozen=True):
    """The canary and its mark, the entry with contextCSN ("": the suffix), and the time limit."""

    dn: str
    mark: str
    base: str
    lost_seconds: float


class Token(Struct, frozen=True):
    """A value and when it was written, in monotonic seconds; `csn` is None if it is unknown."""

    value: str
    csn: CSN | None
    at: MonotonicSeconds


Context = SurveyContext[Any, Any]


class _TokenHolder:
    """Passes the token from the writer to the readers; if it is `done` without one, none comes."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self.done = threading.Event()
        self.ready = threading.Semaphore(0)


def write_and_watch(
    context: Context, plan: TokenPlan, writer: Server, readers: Sequence[Server]
) -> TokenResult:
    """Write a token at one server and watch the others for it."""
    holder = _TokenHolder()
    threads = ThreadPoolExecutor(len(readers), "propagation")
    try:
        try:
            session = context.open(writer, WRITE_SECONDS)
        except SessionError as error:
            detail = COPY if is_copy(error.failure) else error.failure.detail
            return TokenResult(outcome="unwritten", detail=detail)
        try:
            owner, _ = read_own(session, plan.dn, plan.mark)
            if owner != "ours":
                return TokenResult(outcome=owner)
            watchers = [_Reader(context, plan, reader, holder) for reader in readers]
            watching = [threads.submit(each.watch) for each in watchers]
            _wait_for_readers(context, holder, len(readers))
            token = holder.token = _write(context, session, plan)
        except SessionError as error:
            return TokenResult(outcome="unwritten", detail=error.failure.detail)
        finally:
            session.close()
            holder.done.set()
        until = token.at + plan.lost_seconds + READ_SECONDS + LAST_SECONDS
        while context.deadline.now() < until and not all(each.done() for each in watching):
            context.pause(FIRST_STEP_SECONDS)
        arrivals = {
            reader.id: each.result() if each.done() else NOTHING_SEEN
            for reader, each in zip(readers, watching, strict=True)
        }
    finally:
        holder.done.set()
        threads.shutdown(wait=False, cancel_futures=True)
    return TokenResult(outcome="written", csn=str(token.csn or ""), readers=arrivals)


def _wait_for_readers(context: Context, holder: _TokenHolder, count: int) -> None:
    until = context.deadline.now() + PREPARE_SECONDS
    for _ in range(count):
        holder.ready.acquire(timeout=max(0.0, until - context.deadline.now()))
    context.pause(0.0)


def _write(context: Context, session: Session, plan: TokenPlan) -> Token:
    value = fresh_token()
    entry = session.replace_and_read(plan.dn, TOKEN_ATTRIBUTE, value, (ENTRY_CSN,))
    at = context.deadline.now()
    try:
        (text,) = entry.get(ENTRY_CSN.lower(), ())
        return Token(value, parse(text), at)
    except ValueError:  # hidden, or not a CSN: only the value is looked for
        return Token(value, None, at)


class _Reader:
    """One server that is watched for the token, on a connection of its own."""

    def __init__(
        self, context: Context, plan: TokenPlan, server: Server, holder: _TokenHolder
    ) -> None:
        self._context, self._plan, self._server, self._holder = context, plan, server, holder
        self._session: Session | None = None
        self._is_refused = False
        self._shows_csn = True
        self._seconds: float | None = None
        self._csn_seconds: float | None = None
        self._watched_seconds = 0.0
        self._is_there = False
        self._error = ""

    def watch(self) -> Arrival:
        """Connect, wait for the token to be written, and watch for it."""
        try:
            seconds = WRITE_SECONDS + self._plan.lost_seconds + READ_SECONDS
            self._try(lambda: self._open(seconds))
            self._holder.ready.release()
            self._holder.done.wait(WRITE_SECONDS)
            if self._holder.token is not None:
                self._watch(self._holder.token)
        finally:
            self._close()
        return Arrival(
            seconds=self._seconds,
            csn_seconds=self._csn_seconds,
            watched_seconds=self._watched_seconds,
            is_there=self._is_there,
            error=self._error,
        )

    def _watch(self, token: Token) -> None:
        now, step = self._context.deadline.now, FIRST_STEP_SECONDS
        until = token.at + self._plan.lost_seconds
        while not self._is_refused:
            began = now()
            if self._try(lambda: self._read(token)):
                self._watched_seconds = began - token.at
            if self._has_all(token) or began >= until:
                return
            self._context.pause(min(step, max(0.0, until - now())))
            step = min(step * GROWTH, MOST_STEP_SECONDS)

    def _has_all(self, token: Token) -> bool:
        has_csn = self._csn_seconds is not None or token.csn is None or not self._shows_csn
        return self._seconds is not None and has_csn

    def _try(self, step: Callable[[], None]) -> bool:
        """Do a step, and note its error. A refused bind is not repeated: it may lock accounts."""
        try:
            step()
        except SessionError as error:
            self._error = error.failure.detail
            self._is_refused = error.failure.kind is FailureKind.BIND
            if self._session is not None and not self._session.alive:
                self._close()
            return False
        self._error = ""
        return True

    def _read(self, token: Token) -> None:
        """Read once. The CSN first: a server that then lacks the value has skipped the change."""
        if self._session is None:
            until = token.at + self._plan.lost_seconds + READ_SECONDS
            self._open(until - self._context.deadline.now())
        if token.csn is not None and self._csn_seconds is None and self._shows_csn:
            self._read_csn(token.csn, token.at)
        if self._seconds is None:
            entry = self._entry(self._plan.dn, TOKEN_ATTRIBUTE)
            self._is_there = entry is not None
            if entry and token.value in entry.get(TOKEN_ATTRIBUTE, ()):
                self._seconds = self._passed_seconds(token.at)

    def _read_csn(self, csn: CSN, at: MonotonicSeconds) -> None:
        assert self._session is not None
        try:
            values = read_context_csn(self._session, self._plan.base or self._server.suffix)
        except SessionError as error:
            if error.failure.result_code != "noSuchObject":
                raise
            values = ()
        try:
            vector = parse_vector(values)
        except CSNError:
            vector = {}
        self._shows_csn = bool(vector)
        if csn.sid in vector and vector[csn.sid] >= csn:
            self._csn_seconds = self._passed_seconds(at)

    def _passed_seconds(self, at: MonotonicSeconds) -> float:
        return max(0.0, self._context.deadline.now() - at)

    def _entry(self, dn: str, attribute: str) -> Mapping[str, tuple[str, ...]] | None:
        assert self._session is not None
        try:
            return self._session.read(dn, (attribute,))
        except SessionError as error:
            if error.failure.result_code != "noSuchObject":
                raise
            return None

    def _open(self, seconds: float) -> None:
        self._session = self._context.open(self._server, seconds, BUDGET_BYTES)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
