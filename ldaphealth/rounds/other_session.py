"""The session of a probe with other credentials than those of the server, one at a time.

probe.py runs the checks that have `credentials` on it. It never states that the server gives no
LDAP service: the session of the server has just shown that it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace

from ldaphealth.judging.judge import trust
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import Credentials, Failure, FailureKind, Trust
from ldaphealth.text.printable import printable

RESERVED_PART = 0.1  # of the deadline, for the checks that follow on the session of the server
OPENING = "open_session"  # the operation under which the time to connect and bind is reported


class OtherSession:
    """A session with the server of `own`, opened when a check needs it, under the same deadline.

    Checks in a row with the same credentials share it. After it could not be opened it is not tried
    again for these credentials: a wrong password that is tried often locks an account.
    """

    def __init__(self, own: Session) -> None:
        self._own = own
        self._session: Session | None = None
        self._credentials: Credentials | None = None
        self._refused: dict[Credentials, SessionError] = {}

    def session_as(self, credentials: Credentials | None) -> Session:
        """Return the session with these credentials, None for that of the server; SessionError.

        One with other credentials is closed.
        """
        if self._session is not None and self._session.alive and self._credentials == credentials:
            return self._session
        if self._session is not None:
            self.close()
        if credentials is None:
            return self._own
        if credentials in self._refused:
            raise self._refused[credentials]
        server = replace(self._own.server, credentials=credentials)
        deadline = self._own.deadline
        earlier = replace(deadline, at=deadline.at - RESERVED_PART * deadline.seconds)
        try:
            session = open_session(server, earlier, accounts=self._own.accounts)
        except SessionError as error:
            self._refused[credentials] = error
            if error.failure.kind is FailureKind.BIND:
                self._count({"bind": 1})
            raise
        session.timings = {OPENING: sum(session.timings.values())}
        self._session, self._credentials = session, credentials
        return session

    def close(self) -> None:
        """Unbind, if it is open. Its operations count as those of the session of the server."""
        session, self._session = self._session, None
        if session is None:
            return
        if session.alive:
            try:
                session.unbind()
            except SessionError:
                session.close()
        self._count(session.counts)

    def _count(self, counts: Mapping[str, int]) -> None:
        for operation, count in counts.items():
            self._own.counts[operation] = self._own.counts.get(operation, 0) + count


class OtherLogin:
    """The login of a check with its credentials, as a DN that it finds (`check.Login`).

    After it failed it is not tried again in the same probe.
    """

    def __init__(self, other: OtherSession, credentials: Credentials) -> None:
        self._other, self._credentials = other, credentials

    @property
    def dn(self) -> str:
        """Return the DN of the credentials, "" for any."""
        return self._credentials.dn

    @contextmanager
    def session(self, dn: str) -> Iterator[Session]:
        """Open a second session, bound as that DN, and close it at the end."""
        self._other.close()  # one that other checks have used proves nothing about a bind
        try:
            session = self._other.session_as(replace(self._credentials, dn=dn))
            session.timings = dict(session.totals)
            yield session
        except SessionError as error:
            error.failure = never_hard(error.failure)
            raise
        finally:
            self._other.close()


def never_hard(failure: Failure) -> Failure:
    """Return a failure of this session as one that is soft, or contradicts an expectation."""
    if failure.kind is FailureKind.TIMEOUT:
        return replace(failure, answered=True)
    if trust(failure) is not Trust.HARD:
        return failure
    detail = printable(f"the session with the credentials of this check failed: {failure.detail}")
    return Failure(FailureKind.OTHER_SESSION, detail, answered=True)
