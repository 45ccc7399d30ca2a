"""When the password of the account expires, by the entries of the account and of its policy.

It is for a server that does not say so when the account binds: OpenLDAP does within
`pwdExpireWarning` only (slapo-ppolicy(5)). Each of these attributes is one that some servers have.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ldaphealth.clocks import EpochSeconds

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

CHANGED = "pwdChangedTime"  # draft-behera-ldap-password-policy-11, 5.3.2
POLICY = "pwdPolicySubentry"  # 5.3.9
MAX_AGE = "pwdMaxAge"  # 5.2.3, in the entry of the policy; seconds, 0 for ever
EXPIRES_389 = "passwordExpirationTime"
EXPIRES_AD = "msDS-UserPasswordExpiryTimeComputed"  # units of 100 ns since 1601
OF_ACCOUNT = (CHANGED, POLICY, EXPIRES_389, EXPIRES_AD)

STAMP = "%Y%m%d%H%M%S"
STAMP_DIGITS = 14
AD_UNITS, AD_EPOCH_SECONDS = 10_000_000, 11_644_473_600  # 1601 to 1970
MOST_AD_UNITS = 2**62  # 2**63 - 1 is never
MOST_DIGITS = 19

Values = Mapping[str, tuple[str, ...]]


def read_expiry(session: Session, policy_dn: str) -> EpochSeconds | None:
    """Return when the password expires, None if the entries do not say so; SessionError.

    `policy_dn` is the policy of an account that names none.
    """
    account = session.read(session.server.credentials.dn, OF_ACCOUNT)
    expires = expiry(account, {})
    policy = _first(account, POLICY) or policy_dn
    if expires is not None or not policy or not _first(account, CHANGED):
        return expires
    return expiry(account, session.read(policy, (MAX_AGE,)))


def expiry(account: Values, policy: Values) -> EpochSeconds | None:
    """Return when the password expires by the attributes of both entries; None if unknown."""
    units = _number(_first(account, EXPIRES_AD))
    if units is not None and 0 < units < MOST_AD_UNITS:
        return units / AD_UNITS - AD_EPOCH_SECONDS
    if stated := _moment(_first(account, EXPIRES_389)):
        return stated
    changed, age = _moment(_first(account, CHANGED)), _number(_first(policy, MAX_AGE))
    return changed + age if changed and age else None


def _first(entry: Values, name: str) -> str:
    return "".join(entry.get(name, ())[:1])


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def _moment(text: str) -> EpochSeconds | None:
    """Return a GeneralizedTime (RFC 4517 3.3.13) in UTC; None for another one, or for 1970."""
    if not text.endswith("Z"):
        return None
    try:
        moment = datetime.strptime(text[:STAMP_DIGITS], STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return moment if moment > 0 else None
