"""What a server says of an account in its response to a bind: expired, locked, expires soon.

Three ways are known. Each bind sends the request control of draft-behera-ldap-password-policy-11,
which OpenLDAP (slapo-ppolicy(5)), 389 Directory Server and others answer. Active Directory puts a
sub-code into the diagnostic message. 389 also sends the controls of draft-vchu-ldap-pwd-policy-00,
and texts. Pure; session.py calls it. None of it is needed for a session, so what is malformed is
ignored: a server that answers the bind gives LDAP service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from ldaphealth.ldap import ber
from ldaphealth.model import Credentials
from ldaphealth.text.quantity import plural_of

POLICY_OID = "1.3.6.1.4.1.42.2.27.8.5.1"  # draft-behera-ldap-password-policy-11, 6.1 and 6.2
EXPIRED_OID = "2.16.840.1.113730.3.4.4"  # draft-vchu-ldap-pwd-policy-00, 3
EXPIRING_OID = "2.16.840.1.113730.3.4.5"  # the same; seconds as a text

# Not critical, without a value: servers that do not know it ignore it (RFC 4511 4.1.11).
REQUEST = ber.element(0xA0, ber.element(ber.SEQUENCE, ber.octet_string(POLICY_OID)))

WARNING, ERROR = 0xA0, 0x81  # [0] and [1] of PasswordPolicyResponseValue
TIME_BEFORE_EXPIRATION, GRACE_LOGINS = 0x80, 0x81  # [0] and [1] of its warning
LONGEST_SENTENCE = 800  # characters, with the DN, the file and part of a server's message
LONGEST_EXPIRING = 10  # digits
SUB_CODE = re.compile(r"AcceptSecurityContext error, data ([0-9a-fA-F]{1,8})\b")


class Cause(Struct, frozen=True, kw_only=True):
    """Why a server refuses an account, or what it may not do, and how that is said.

    `error` is that of the control, `sub_code` that of Active Directory, `text` the beginning of
    the message of 389 in lower case. `means` and `remedy` are phrases about `{account}` or its
    `{password}`, both with the DN and where the password comes from.

    `is_guessed`: nothing shows that the password is right, so each attempt may count towards the
    limit at which the server locks the account.
    """

    name: str
    error: int | None = None
    sub_code: str = ""
    text: str = ""
    means: str
    remedy: str
    is_guessed: bool = False


NEW_PASSWORD = "set another one (ldappasswd) and write it there"  # noqa: S105  words
LOCKED = "{account} is locked, usually after wrong passwords"
UNLOCK = "correct the password if it is wrong, then "

CAUSES: tuple[Cause, ...] = (
    Cause(
        name="expired",
        error=0,
        sub_code="532",
        text="password expired",
        means="{password} has expired",
        remedy=NEW_PASSWORD,
    ),
    Cause(
        name="locked",
        error=1,
        means=LOCKED,
        remedy=f"{UNLOCK}delete `pwdAccountLockedTime` of the entry",
    ),
    Cause(
        name="locked",
        text="exceed password retry limit",
        means=LOCKED,
        remedy=f"{UNLOCK}delete `accountUnlockTime` of the entry",
    ),
    Cause(name="locked", sub_code="775", means=LOCKED, remedy=f"{UNLOCK}`Unlock-ADAccount`"),
    Cause(
        name="must_change",
        error=2,
        sub_code="773",
        means="{password} was reset and must be changed before anything else",
        remedy="change it (ldappasswd) and write it there, or delete `pwdReset` of the entry",
    ),
    Cause(
        name="wrong_password",
        sub_code="52e",
        means="{password} is wrong",
        remedy="correct it there",
        is_guessed=True,
    ),
    Cause(
        name="no_account",
        sub_code="525",
        means="{account} does not exist",
        remedy="correct `dn` of these credentials",
        is_guessed=True,
    ),
    Cause(
        name="not_now",
        sub_code="530",
        means="{account} may not log on at this time",
        remedy="extend its `logonHours`",
    ),
    Cause(
        name="not_here",
        sub_code="531",
        means="{account} may not log on from this host",
        remedy="add this host to its `userWorkstations`",
    ),
    Cause(
        name="disabled",
        sub_code="533",
        means="{account} is disabled",
        remedy="`Enable-ADAccount` enables it",
    ),
    Cause(
        name="disabled",
        text="account inactivated",
        means="{account} is inactivated",
        remedy="`dsidm account unlock` activates it",
    ),
    Cause(
        name="disabled",
        text="account inactivity limit exceeded",
        means="{account} was not used for too long and is inactivated",
        remedy="`dsidm account unlock` activates it",
    ),
    Cause(
        name="account_expired",
        sub_code="701",
        means="{account} has expired",
        remedy="extend its `accountExpires`",
    ),
)

# What a server that names no cause may mean by invalidCredentials: none of the above is ruled out.
REFUSED = Cause(
    name="refused",
    means="password refused for {account}",
    remedy="it is wrong, or the account is unknown, locked or expired",
    is_guessed=True,
)


class PolicyAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the response to a bind says of the account; nothing by default.

    `expires_seconds`: until the password expires. `grace_logins`: so many more binds are accepted
    with a password that has expired (each one uses one). `cause` is the row of CAUSES.
    """

    expires_seconds: int | None = None
    grace_logins: int | None = None
    cause: Cause | None = None


NOTHING = PolicyAnswer()


def policy_answer(controls: Mapping[str, bytes | None], message: str = "") -> PolicyAnswer:
    """Return what the controls of a bind response and its diagnostic message say.

    The control of the draft by Behera says most, so it counts first.
    """
    expires, grace, error = _policy_control(controls.get(POLICY_OID))
    if expires is None:
        expires = _expiring(controls.get(EXPIRING_OID))
    cause = next(_causes(error, message), None)
    if cause is None and grace is None and EXPIRED_OID in controls:
        cause = _by_error(0)
    return PolicyAnswer(expires_seconds=expires, grace_logins=grace, cause=cause)


def _causes(error: int | None, message: str) -> Iterator[Cause]:
    if error is not None and (found := _by_error(error)) is not None:
        yield found
    if (sub_code := SUB_CODE.search(message)) is not None:
        code = sub_code[1].lower()
        yield from (each for each in CAUSES if each.sub_code == code)
    said = message.strip().lower()
    yield from (each for each in CAUSES if each.text and said.startswith(each.text))


def _by_error(error: int) -> Cause | None:
    """Return the row of an error of the control. Those from 3 on concern changes of a password."""
    return next((each for each in CAUSES if each.error == error), None)


def _policy_control(value: bytes | None) -> tuple[int | None, int | None, int | None]:
    """Return the seconds until the expiry, the grace logins and the error; None if malformed.

    PasswordPolicyResponseValue ::= SEQUENCE {
        warning [0] CHOICE {timeBeforeExpiration [0] INTEGER, graceAuthNsRemaining [1] INTEGER}
        OPTIONAL, error [1] ENUMERATED OPTIONAL}
    """
    expires = grace = error = None
    try:
        (outer,) = ber.elements(value or b"")
        for field in ber.inner(value or b"", outer, ber.SEQUENCE):
            if field[0] == WARNING:
                (warning,) = ber.inner(value or b"", field, WARNING)
                if warning[0] == GRACE_LOGINS:
                    grace = ber.decode_integer(value or b"", warning, GRACE_LOGINS)
                else:
                    expires = ber.decode_integer(value or b"", warning, TIME_BEFORE_EXPIRATION)
            else:
                error = ber.decode_integer(value or b"", field, ERROR)
    except ValueError:
        return None, None, None
    return expires, grace, error


def _expiring(value: bytes | None) -> int | None:
    """Return the seconds of the control of 389, a text of decimal digits."""
    text = (value or b"").strip(b" \0")
    if not text.isdigit() or len(text) > LONGEST_EXPIRING:
        return None
    return int(text)


def account_sentence(cause: Cause, credentials: Credentials) -> str:
    """Return what is wrong with an account, and the next step: one line with its DN and file."""
    return _phrase(f"{cause.means}; {cause.remedy}", credentials)


def grace_sentence(logins: int | None, credentials: Credentials) -> str:
    """Return that the password has expired and is still accepted, and the next step.

    `logins` is how many more times, None if the server does not say.
    """
    left = f"{logins or 'no'} {plural_of(logins or 0, 'grace login')} left"
    still = "the server still accepts it" if logins is None else left
    return _phrase(f"{{password}} has expired, {still}; {NEW_PASSWORD}", credentials)


def expiry_sentence(when: str, credentials: Credentials) -> str:
    """Return that the password expires, such as "in 10 days", and the next step."""
    return _phrase(f"{{password}} expires {when}; {NEW_PASSWORD}", credentials)


def _phrase(text: str, credentials: Credentials) -> str:
    dn, file, variable = credentials.dn, credentials.password_file, credentials.password_env
    where = file or (f"the environment variable {variable}" if variable else "")
    file_or_variable = f"file {file}" if file else where
    return text.format(
        password=f"the password of {dn}" + (f" in {where}" if where else ""),
        account=dn + (f" ({file_or_variable})" if where else ""),
    )
