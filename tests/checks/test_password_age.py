"""When a password expires by what the entries of OpenLDAP, 389 and Active Directory hold."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks.password_age import OF_ACCOUNT, expiry

MARCH = 1_772_323_200.0  # 2026-03-01 00:00 UTC
STAMP = "20260301000000Z"
DAY_SECONDS = 86400


@pytest.mark.parametrize(
    ("account", "policy", "expires"),
    [
        ({}, {}, None),
        ({"pwdChangedTime": STAMP}, {}, None),
        ({"pwdChangedTime": STAMP}, {"pwdMaxAge": "0"}, None),
        ({"pwdChangedTime": STAMP}, {"pwdMaxAge": "864000"}, MARCH + 10 * DAY_SECONDS),
        ({"pwdChangedTime": "20260301000000.123456Z"}, {"pwdMaxAge": "1"}, MARCH + 1),
        ({"pwdChangedTime": "20260301000000+0100"}, {"pwdMaxAge": "1"}, None),
        ({"pwdChangedTime": "yesterdayZ"}, {"pwdMaxAge": "1"}, None),
        ({"pwdChangedTime": STAMP}, {"pwdMaxAge": "-1"}, None),
        ({}, {"pwdMaxAge": "864000"}, None),
        ({"passwordExpirationTime": STAMP}, {}, MARCH),
        ({"passwordExpirationTime": "19700101000000Z"}, {}, None),
        ({"msDS-UserPasswordExpiryTimeComputed": "134167968000000000"}, {}, MARCH),
        ({"msDS-UserPasswordExpiryTimeComputed": "9223372036854775807"}, {}, None),
        ({"msDS-UserPasswordExpiryTimeComputed": "0"}, {}, None),
    ],
)
def test_the_expiry_is_computed_from_what_the_entries_hold(
    account: Mapping[str, str], policy: Mapping[str, str], expires: float | None
) -> None:
    found = expiry(values(account), values(policy))

    assert found == expires


@given(st.dictionaries(st.sampled_from(OF_ACCOUNT), st.text(max_size=24)), st.text(max_size=24))
def test_any_values_are_read_or_ignored(account: Mapping[str, str], age: str) -> None:
    found = expiry(values(account), {"pwdMaxAge": (age,)})

    assert found is None or found > -12e9


def values(entry: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return {name: (value,) for name, value in entry.items()}
