"""Requests that are encoded without ldap3 are those of ldap3, and the password is as it is."""

from __future__ import annotations

import ldap3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.core.results import RESULT_CODES as CODES_OF_LDAP3
from ldap3.operation.bind import bind_operation
from ldap3.operation.compare import compare_operation
from ldap3.operation.extended import extended_operation
from ldap3.operation.modify import modify_operation
from ldap3.protocol.convert import build_controls_list
from ldap3.protocol.rfc4527 import post_read_control
from ldap3.utils import asn1

from ldaphealth.ldap import codec
from ldaphealth.ldap.codec import bind_request, encode_compare, modify_request
from ldaphealth.ldap.result_codes import RESULT_CODES
from ldaphealth.model import BindMethod, Credentials, Secret
from tests.ldap.opening import ANONYMOUS, EXTERNAL, simple

TEXT = st.text(st.characters(codec="utf-8"))
TYPED = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


@given(TEXT.filter(bool), TYPED)
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


@given(TEXT, TEXT, TEXT)
def test_a_compare_is_that_of_ldap3(dn: str, attribute: str, value: str) -> None:
    expected = asn1.encode(compare_operation(dn, attribute, value, auto_encode=True))

    assert encode_compare(dn, attribute, value) == expected


@given(TEXT, TEXT, TEXT | st.just("x" * 70_000))
def test_a_modify_is_that_of_ldap3(dn: str, attribute: str, value: str) -> None:
    changes = {attribute: [(ldap3.MODIFY_REPLACE, [value])]}
    expected = asn1.encode(modify_operation(dn, changes, auto_encode=True))

    assert modify_request(dn, attribute, value) == expected


@given(st.lists(TEXT, min_size=1, max_size=40))
def test_the_post_read_control_is_that_of_ldap3(attributes: list[str]) -> None:
    expected = asn1.encode(build_controls_list([post_read_control(attributes)]))

    assert codec.post_read((*attributes,)) == expected


def test_extended_requests_are_those_of_ldap3() -> None:
    for request, oid in (
        (codec.who_am_i_request(), codec.WHO_AM_I_OID),
        (codec.start_tls_request(), codec.START_TLS_OID),
    ):
        assert request == asn1.encode(extended_operation(oid))


def test_result_codes_have_the_names_of_ldap3() -> None:
    assert RESULT_CODES == CODES_OF_LDAP3


def test_a_password_that_cannot_be_encoded_is_not_shown() -> None:
    wrong = Credentials(BindMethod.SIMPLE, "cn=x", Secret("s3cret\udc80"))

    with pytest.raises(ValueError, match="not UTF-8") as caught:
        bind_request(wrong)

    assert "s3cret" not in str(caught.value)
