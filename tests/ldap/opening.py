"""Sessions with one real slapd, as the tests open them.

The deadline is long: these tests are about what happens, tests/hostile about how long it takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from demo.tree import CHECK_DN, CHECK_PASSWORD
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import BindMethod, Credentials, Failure, Secret, Server, Tls

DEADLINE_SECONDS = 10.0
ANONYMOUS = Credentials()
EXTERNAL = Credentials(method=BindMethod.EXTERNAL)
NO_SETTINGS = Tls()


def simple(dn: str, password: str | None) -> Credentials:
    """Return credentials for a simple bind."""
    secret = None if password is None else Secret(password)
    return Credentials(method=BindMethod.SIMPLE, dn=dn, password=secret)


CHECK = simple(CHECK_DN, CHECK_PASSWORD)


def session_with(
    uri: str,
    credentials: Credentials = ANONYMOUS,
    tls: Tls = NO_SETTINGS,
    server_name: str = "",
) -> Session:
    """Return a session that is not connected yet."""
    server = Server(
        cluster="c",
        name="s",
        uri=uri,
        server_name=server_name,
        credentials=credentials,
        tls=tls,
    )
    return Session(server, Deadline.after(DEADLINE_SECONDS))


@contextlib.contextmanager
def bound(
    uri: str,
    credentials: Credentials = ANONYMOUS,
    tls: Tls = NO_SETTINGS,
    server_name: str = "",
) -> Iterator[Session]:
    """Give a session that is connected and bound, and close it."""
    session = session_with(uri, credentials, tls, server_name)
    try:
        session.connect()
        session.bind()
        yield session
    finally:
        session.close()


def refusal(
    uri: str,
    credentials: Credentials = ANONYMOUS,
    tls: Tls = NO_SETTINGS,
    server_name: str = "",
) -> Failure:
    """Return why no session can be opened; it must be of no further use."""
    session = session_with(uri, credentials, tls, server_name)
    with pytest.raises(SessionError) as caught:
        _open(session)
    assert not session.alive
    return caught.value.failure


def _open(session: Session) -> None:
    session.connect()
    session.bind()
