"""With which encryption a server is tried, in which order, and never in the clear by itself."""

from __future__ import annotations

import pytest

from ldaphealth.discover.secure_session import ServerAccess, attempts, open_securely
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.model import BindMethod, Credentials, Secret
from tests.hostile.servers import answering, listening, message, result, silent

PASSWORD = Credentials(BindMethod.SIMPLE, "cn=x", Secret("s3cret"))
FAR, HERE = "ldap://ldap1.example.com", "ldap://127.0.0.1:1389"
START_TLS, CLEAR, WANTED_CLEAR = (FAR, True), (FAR, None), (FAR, False)
LDAPS = ("ldaps://ldap1.example.com", None)
CASES = {
    "anonymous": (FAR, ServerAccess(cluster="c"), [START_TLS, LDAPS, CLEAR]),
    "a password": (FAR, ServerAccess(cluster="c", credentials=PASSWORD), [START_TLS, LDAPS]),
    "a password that may go in the clear": (
        FAR,
        ServerAccess(cluster="c", credentials=PASSWORD, cleartext=True),
        [START_TLS, LDAPS, WANTED_CLEAR],
    ),
    "a password on this host": (
        HERE,
        ServerAccess(cluster="c", credentials=PASSWORD),
        [(HERE, True), (HERE, None)],
    ),
    "nothing but StartTLS": (FAR, ServerAccess(cluster="c", start_tls=True), [START_TLS]),
    "another port has no LDAPS beside it": (
        f"{FAR}:1389",
        ServerAccess(cluster="c", credentials=PASSWORD),
        [(f"{FAR}:1389", True)],
    ),
    "ldaps": (LDAPS[0], ServerAccess(cluster="c", credentials=PASSWORD, cleartext=True), [LDAPS]),
    "IPv6": (
        "ldap://[2001:db8::1]",
        ServerAccess(cluster="c", credentials=PASSWORD),
        [("ldap://[2001:db8::1]", True), ("ldaps://[2001:db8::1]", None)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_kinds_of_encryption_in_order(case: str) -> None:
    uri, access, expected = CASES[case]

    assert [(each.uri, each.tls.start_tls) for each in attempts(uri, access)] == expected


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(answering(message(1, result(24, 2))), id="StartTLS is refused"),
        pytest.param(answering(message(1, result(24, 0))), id="and then no TLS comes"),
        pytest.param(silent, id="silent"),
    ],
)
def test_no_password_without_tls(behave: object) -> None:
    """127.1 is not known to be this host before it is looked up."""
    access = ServerAccess(cluster="c", credentials=PASSWORD)
    with listening(behave) as port, pytest.raises(SessionError) as caught:  # type: ignore[arg-type]
        open_securely(f"ldap://127.1:{port}", access, Deadline.after(1.0), Accounts())

    assert caught.value.failure.detail.isprintable()
    assert "s3cret" not in caught.value.failure.detail
