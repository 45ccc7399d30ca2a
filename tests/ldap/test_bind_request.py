"""A bind is encoded as ldap3 encodes it, and the password as it is."""

from __future__ import annotations

import ldap3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.bind import bind_operation
from ldap3.utils import asn1

from ldaphealth.ldap.codec import bind_request
from ldaphealth.model import BindMethod, Credentials, Secret
from tests.ldap.opening import ANONYMOUS, EXTERNAL, simple

TYPED = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


@given(st.text(st.characters(codec="utf-8"), min_size=1), TYPED)
def test_a_simple_bind_is_that_of_ldap3(dn: str, password: str) -> None:
    request = bind_operation(3, ldap3.SIMPLE, dn, password.encode(), auto_encode=True)

    assert bind_request(simple(dn, password)) == asn1.encode(request)


@pytest.mark.parametrize(
    ("credentials", "operation"),
    [
        pytest.param(ANONYMOUS, bind_operation(3, ldap3.ANONYMOUS), id="anonymous"),
        pytest.param(
            EXTERNAL, bind_operation(3, ldap3.SASL, "", None, ldap3.EXTERNAL, ""), id="EXTERNAL"
        ),
    ],
)
def test_other_binds_are_those_of_ldap3(credentials: Credentials, operation: object) -> None:
    assert bind_request(credentials) == asn1.encode(operation)


def test_a_password_that_cannot_be_encoded_is_not_shown() -> None:
    wrong = Credentials(BindMethod.SIMPLE, "cn=x", Secret("s3cret\udc80"))

    with pytest.raises(ValueError, match="not UTF-8") as caught:
        bind_request(wrong)

    assert "s3cret" not in str(caught.value)
