"""The survey of the check `traffic`: it reads what is new in the log of slapo-accesslog(5).

traffic.py loads it when the agent runs a survey; reading a configuration does not need it. Of an
operation only its kind, its result and its times are requested: no name, filter or value of a
client leaves the server.

A read has the operations that began after those of the read before, and at least `SETTLE_SECONDS`
ago: slapd logs an operation when it has ended. With `index reqStart eq` it costs the same
however long the log is (slapo-accesslog(5)); without one slapd reads the whole log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from ldaphealth.checks.traffic import ABANDONED, Counted, Facts, Params, Traffic, sum_of_traffic
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.ldap.codec import OctetsEntry, Result
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import NO_ATTRIBUTES
from ldaphealth.ldap.search_filter import assertion
from ldaphealth.ldap.session import Session
from ldaphealth.model import FailureKind
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult

SETTLE_SECONDS = 10.0
MOST_INTERVALS = 2.0  # after a pause no more of the log is read
OPEN_SECONDS = 5.0
PAGE_SIZE = 500  # the size limit of slapd by default
OPERATION_BYTES = 512  # its DN, and five attributes
KINDS = frozenset({"bind", "search", "compare", "add", "delete", "modify", "modrdn", "extended"})
# success, compareFalse, compareTrue, referral, saslBindInProgress (RFC 4511 A.1)
NO_FAILURES = frozenset({0, 5, 6, 10, 14})
ATTRIBUTES = ("reqType", "reqResult", "reqStart", "reqEnd")
CLOCK = "cn=Current,cn=Time,cn=Monitor"
GENERALIZED_TIME = "%Y%m%d%H%M%S.%fZ"  # RFC 4517 3.3.13
NUMBER = re.compile(rb"-?[0-9]{1,9}")
LIMITS = frozenset({"sizeLimitExceeded", "adminLimitExceeded"})

Context = SurveyContext[Params, Mapping[str, EpochSeconds]]


class Window(Struct, frozen=True):
    """The operations that began at or after the first moment, and before the second."""

    since: EpochSeconds
    until: EpochSeconds

    def filter(self, accounts: Iterable[str]) -> str:
        """Return the filter: the operations of the window, without those of the accounts.

        A bind has its account in `reqDN`. `(!(reqStart>=...))` and not `<=`, for which slapd would
        read the index from its begin.
        """
        since, until = (f"(reqStart>={_text(each)})" for each in (self.since, self.until))
        others = "".join(
            f"(!{assertion(name, account)})"
            for account in accounts
            for name in ("reqAuthzID", "reqDN")
        )
        return f"(&{since}(!{until}){others})"


def read_what_is_new(context: Context) -> SurveyResult[Facts, Mapping[str, EpochSeconds]]:
    """Read the log of each server. Kept: until when the log of each was read, by server ID."""
    kept = dict(context.kept or {})
    found: dict[str, SurveyFacts[Facts]] = {}
    share = (context.deadline.at - context.deadline.now()) / max(1, len(context.servers))
    for server in context.servers:
        context.pause(0)
        budget = 65_536 + OPERATION_BYTES * context.params.most_operations
        try:
            session = context.open(server, min(OPEN_SECONDS, share), budget)
            try:
                window = _window(session, context.params, kept.get(server.id))
                facts = _read(session, context.params, window)
            finally:
                session.close()
        except SessionError as error:
            facts = Facts(unread=_why(error, context.params))
        else:
            kept[server.id] = window.until
        found[server.id] = SurveyFacts(facts)
    return SurveyResult(found, kept)


def _why(error: SessionError, params: Params) -> str:
    failure = error.failure
    if failure.result_code == "noSuchObject":
        return f"{params.base} does not exist, or the account has no right to read it"
    if failure.kind is FailureKind.TIMEOUT:
        return f"{failure.detail}; its database needs `index reqStart eq`"
    return failure.detail


def _window(session: Session, params: Params, read_until: EpochSeconds | None) -> Window:
    """Return what is read now, by the clock of the server."""
    until = _server_clock(session) - SETTLE_SECONDS
    if read_until is None:
        return Window(until - params.interval_seconds, until)
    return Window(max(read_until, until - MOST_INTERVALS * params.interval_seconds), until)


def _server_clock(session: Session) -> EpochSeconds:
    """Return the time of day of the server, or that of this host if the account cannot read it."""
    try:
        shown = session.read(CLOCK, ("monitorTimestamp",)).get("monitorTimestamp", ())
    except SessionError:
        if not session.alive:
            raise
        shown = ()
    try:
        return _moment("".join(shown).replace("Z", ".0Z"))
    except ValueError:
        return epoch_seconds()


def _read(session: Session, params: Params, window: Window) -> Facts:
    """Count the operations of the window, at most `most_operations`."""
    session.read(params.base, (NO_ATTRIBUTES,))  # noSuchObject, where a search would find nothing
    own = session.server.credentials.dn
    accounts = (*params.except_accounts, *((own,) if own else ()))
    counted: list[Traffic] = []
    is_limited = False
    pages = session.pages(
        params.base, "one", window.filter(accounts), ATTRIBUTES, PAGE_SIZE, _counted
    )
    try:
        for page in pages:
            counted += page
            if len(counted) >= params.most_operations:
                is_limited = True
                break
    except SessionError as error:
        if not counted or error.failure.result_code not in LIMITS:
            raise
        is_limited = True
    return Facts(traffic=sum_of_traffic(counted), is_limited=is_limited)


def _counted(entry: OctetsEntry) -> Traffic:
    """Return what one entry of the log counts for; nothing for an unbind, and what is unknown."""
    _, attributes = entry
    kind = _first(attributes, "reqtype").partition(b"(")[0].decode("ascii", "replace")
    if kind == "abandon":
        return {kind: Counted(failed={ABANDONED: 1})}
    if kind not in KINDS:
        return {}
    result = _first(attributes, "reqresult")
    code = int(result) if NUMBER.fullmatch(result) else 0
    failed = {} if code < 0 or code in NO_FAILURES else {Result(code, "").code_name: 1}
    return {kind: Counted(1, _seconds(attributes), failed)}


def _seconds(attributes: Mapping[str, tuple[bytes, ...]]) -> float:
    """Return how long an operation took, 0 without two times in that order."""
    try:
        began, ended = (
            _moment(_first(attributes, name).decode("ascii", "replace"))
            for name in ("reqstart", "reqend")
        )
    except ValueError:
        return 0.0
    return max(0.0, ended - began)


def _first(attributes: Mapping[str, tuple[bytes, ...]], name: str) -> bytes:
    return next(iter(attributes.get(name, ())), b"")


def _moment(text: str) -> EpochSeconds:
    """Parse a time of slapd; ValueError if it is none."""
    return datetime.strptime(text, GENERALIZED_TIME).replace(tzinfo=UTC).timestamp()


def _text(moment: EpochSeconds) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(GENERALIZED_TIME)
