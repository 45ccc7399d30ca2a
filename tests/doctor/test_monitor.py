"""The monitor database that the doctor adds is readable for the account alone."""

from __future__ import annotations

import pytest

from ldaphealth.doctor.monitor import monitor_rule
from ldaphealth.model import BindMethod, Credentials, Server


@pytest.mark.parametrize(
    ("credentials", "who"),
    [
        (Credentials(BindMethod.SIMPLE, "cn=check"), 'by dn.exact="cn=check" read'),
        (Credentials(BindMethod.EXTERNAL), "by users read"),
        (Credentials(), "by anonymous read"),
    ],
)
def test_the_right_to_add_is_that_of_the_account(credentials: Credentials, who: str) -> None:
    server = Server(cluster="c", name="s0", uri="ldap://127.0.0.1", credentials=credentials)

    assert monitor_rule(server) == f'to dn.subtree="cn=Monitor" {who}'
