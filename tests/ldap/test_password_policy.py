"""What a response to a bind says of the account: recorded values, and whatever else may come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.ldap import ber
from ldaphealth.ldap.codec import response
from ldaphealth.ldap.password_policy import (
    CAUSES,
    EXPIRED_OID,
    EXPIRING_OID,
    NOTHING,
    POLICY_OID,
    REFUSED,
    REQUEST,
    Cause,
    account_sentence,
    expiry_sentence,
    grace_sentence,
    policy_answer,
)
from ldaphealth.model import BindMethod, Credentials

BY_NAME = {each.name: each for each in CAUSES}
DN, FILE, URI = "cn=probe,dc=example,dc=com", "/etc/ldaphealth/probe", "ldap://ldap1"
PROBE = Credentials(BindMethod.SIMPLE, DN, password_file=FILE)


def number(tag: int, value: int) -> bytes:
    """Return an INTEGER or ENUMERATED under another tag."""
    return ber.element(tag, ber.integer(value)[2:])


def policy(*fields: bytes) -> bytes:
    """Return the value of the control of draft-behera-ldap-password-policy-11, 6.2."""
    return ber.element(ber.SEQUENCE, b"".join(fields))


def expiring(seconds: int) -> bytes:
    return ber.element(0xA0, number(0x80, seconds))


def grace(logins: int) -> bytes:
    return ber.element(0xA0, number(0x81, logins))


def active_directory(sub_code: str) -> str:
    return (
        f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {sub_code}, "
        "v4563\0"
    )


def test_the_request_is_the_control_that_openldap_sends_and_is_not_critical() -> None:
    message = ber.element(ber.SEQUENCE, ber.integer(1) + b"\x61\x00" + REQUEST)

    assert response(message).controls == {POLICY_OID: None}
    assert b"\x01\x01\xff" not in REQUEST


@pytest.mark.parametrize(
    ("value", "expires", "logins", "cause"),
    [
        (policy(), None, None, None),
        (bytes.fromhex("3006a004800219c0"), 6592, None, None),  # slapd 2.5.13
        (policy(expiring(864_000)), 864_000, None, None),
        (policy(expiring(0)), 0, None, None),
        (policy(grace(2)), None, 2, None),
        (policy(number(0x81, 0)), None, None, "expired"),
        (policy(number(0x81, 1)), None, None, "locked"),
        (policy(number(0x81, 2)), None, None, "must_change"),
        (policy(expiring(5), number(0x81, 2)), 5, None, "must_change"),
        (policy(number(0x81, 8)), None, None, None),  # of a change, not of a bind
        # malformed ones say nothing
        (None, None, None, None),
        (b"", None, None, None),
        (b"\x30\x03\xa0\x01\x80", None, None, None),
        (policy(b"\xa0\x00"), None, None, None),
        (policy(ber.element(0xA0, b"\x80\x01\xff")), None, None, None),
        (policy(ber.element(0xA0, b"\x80\x05\x01\x00\x00\x00\x00")), None, None, None),
        (policy(expiring(5), b"\x0a\x01\x01"), None, None, None),
        (policy(expiring(5)) + b"\x00", None, None, None),
    ],
)
def test_the_control_of_the_draft_is_read(
    value: bytes | None, expires: int | None, logins: int | None, cause: str | None
) -> None:
    found = policy_answer({POLICY_OID: value})

    assert (found.expires_seconds, found.grace_logins) == (expires, logins)
    assert (found.cause and found.cause.name) == cause


@given(st.binary(max_size=40))
def test_any_octets_in_a_control_are_read_or_ignored(value: bytes) -> None:
    for oid in (POLICY_OID, EXPIRED_OID, EXPIRING_OID):
        found = policy_answer({oid: value})

        assert found.expires_seconds is None or 0 <= found.expires_seconds < 10**10
        assert found.grace_logins is None or 0 <= found.grace_logins < 2**31


@given(st.text(max_size=80))
def test_any_text_of_a_server_names_a_cause_or_none(text: str) -> None:
    assert policy_answer({}, text).cause in (None, *CAUSES)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"864000", 864_000),
        (b"864000\0", 864_000),
        (b"0", 0),
        *((value, None) for value in (b"-1", b"", b"x", None, b"9" * 50)),
    ],
)
def test_the_control_of_389_has_seconds_as_a_text(value: bytes | None, seconds: int | None) -> None:
    assert policy_answer({EXPIRING_OID: value}).expires_seconds == seconds


def test_389_says_with_another_control_that_the_password_has_expired() -> None:
    assert policy_answer({EXPIRED_OID: b"0"}).cause is BY_NAME["expired"]


def test_the_control_of_the_draft_says_more_than_that_of_389() -> None:
    both = {EXPIRED_OID: b"0", POLICY_OID: policy(number(0x81, 2))}
    left = {EXPIRED_OID: b"0", POLICY_OID: policy(grace(3))}

    assert policy_answer(both).cause is BY_NAME["must_change"]
    assert policy_answer(left).cause is None
    assert policy_answer(left).grace_logins == 3


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (active_directory("52e"), "wrong_password"),
        (active_directory("525"), "no_account"),
        (active_directory("530"), "not_now"),
        (active_directory("531"), "not_here"),
        (active_directory("532"), "expired"),
        (active_directory("533"), "disabled"),
        (active_directory("701"), "account_expired"),
        (active_directory("773"), "must_change"),
        (active_directory("775"), "locked"),
        (active_directory("999"), None),
        ("Simple Bind Failed: NT_STATUS_LOGON_FAILURE", None),
        ("password expired!", "expired"),
        ("Exceed password retry limit. Please try later.", "locked"),
        ("Exceed password retry limit. Contact system administrator to reset.", "locked"),
        ("Account inactivated. Contact system administrator.", "disabled"),
        ("Account inactivity limit exceeded. Contact system administrator to reset.", "disabled"),
        ("Invalid credentials", None),
        ("", None),
    ],
)
def test_active_directory_and_389_say_it_in_their_messages(message: str, cause: str | None) -> None:
    found = policy_answer({}, message).cause

    assert (found and found.name) == cause


def test_a_server_that_says_nothing_says_nothing() -> None:
    assert policy_answer({}, "") == NOTHING


@pytest.mark.parametrize("cause", [*CAUSES, REFUSED], ids=lambda each: each.name)
def test_a_sentence_names_the_account_the_file_and_the_next_step(cause: Cause) -> None:
    text = account_sentence(cause, PROBE)

    assert DN in text
    assert FILE in text
    assert "; " in text
    assert "{" not in text


def test_other_sentences_name_them_too() -> None:
    for text in (grace_sentence(2, PROBE), expiry_sentence("in 2 days", PROBE)):
        assert DN in text
        assert FILE in text
        assert "ldappasswd" in text


def test_a_password_of_the_environment_has_the_name_of_its_variable() -> None:
    by_variable = Credentials(BindMethod.SIMPLE, DN, password_env="PROBE_PASSWORD")

    assert "environment variable PROBE_PASSWORD" in account_sentence(REFUSED, by_variable)


def test_braces_in_a_dn_are_only_text() -> None:
    odd = Credentials(BindMethod.SIMPLE, "cn={0}{x},dc=example", password_file=FILE)

    assert "cn={0}{x},dc=example" in account_sentence(REFUSED, odd)
