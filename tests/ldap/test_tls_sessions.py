"""Which connection may resume a TLS session."""

from __future__ import annotations

from typing import Any, cast

from ldaphealth.ldap.tls_sessions import MOST_KEPT, PAUSE_SECONDS, KeptSession, TlsSessions

PLACE, OTHER = ("ldaps://a", "a"), ("ldaps://b", "b")
RESUME_SECONDS = 60.0


def kept(since: float) -> KeptSession:
    """Return a session of a whole handshake at that time; what OpenSSL keeps does not matter."""
    return KeptSession(cast("Any", object()), since, requests_certificate=False)


def test_one_connection_at_a_time_resumes_it() -> None:
    sessions, first = TlsSessions(), kept(0.0)
    sessions.offer(PLACE, first)

    assert sessions.take(OTHER, 1.0, RESUME_SECONDS) is None
    assert sessions.take(PLACE, 1.0, RESUME_SECONDS) is first
    assert sessions.take(PLACE, 2.0, RESUME_SECONDS) is None

    sessions.give_back(PLACE, first)
    assert sessions.take(PLACE, 3.0, RESUME_SECONDS) is first


def test_it_is_resumed_until_its_whole_handshake_is_too_old() -> None:
    sessions, first = TlsSessions(), kept(10.0)
    sessions.offer(PLACE, first)
    assert sessions.take(PLACE, 10.0 + RESUME_SECONDS - 0.1, RESUME_SECONDS) is first
    sessions.give_back(PLACE, first)
    assert sessions.take(PLACE, 10.0 + RESUME_SECONDS, RESUME_SECONDS) is None

    second = kept(10.0 + RESUME_SECONDS)
    sessions.offer(PLACE, second)
    assert sessions.take(PLACE, 80.0, RESUME_SECONDS) is second


def test_without_the_setting_none_is_resumed() -> None:
    sessions = TlsSessions()
    sessions.offer(PLACE, kept(0.0))

    assert sessions.take(PLACE, 0.0, 0.0) is None


def test_while_one_is_out_that_of_another_connection_is_not_kept() -> None:
    """Such as that of the confirmation after the connection failed: it would fail again."""
    sessions = TlsSessions()
    sessions.offer(PLACE, kept(0.0))
    assert sessions.take(PLACE, 1.0, RESUME_SECONDS) is not None

    for since in (2.0, PAUSE_SECONDS):
        sessions.offer(PLACE, kept(since))
        assert sessions.take(PLACE, since, RESUME_SECONDS) is None

    sessions.offer(PLACE, kept(PAUSE_SECONDS + 1.0))
    assert sessions.take(PLACE, PAUSE_SECONDS + 1.0, RESUME_SECONDS) is not None


def test_the_number_is_bounded() -> None:
    sessions = TlsSessions()
    for number in range(3 * MOST_KEPT):
        place = (f"ldaps://{number}", "a")
        sessions.offer(place, kept(0.0))
        if number % 2:
            sessions.take(place, 0.0, RESUME_SECONDS)
        assert len(sessions) <= MOST_KEPT
