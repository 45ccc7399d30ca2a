"""Who may read: the right credentials, whatever else a header holds."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.model import Secret
from ldaphealth.web.access import Access, HttpCredentials

BOTH = HttpCredentials(Secret("anna:geheim:ä"), Secret("t0ken"))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (basic("anna:geheim:ä"), True),
        (basic("anna:geheim:ä").replace("Basic", "bAsIc"), True),
        ("Bearer t0ken", True),
        ("bearer  t0ken ", True),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        (basic("anna:falsch"), False),
        (basic("anna:"), False),
        (basic(""), False),
        ("Bearer ", False),
        ("Bearer t0kenx", False),
        ("Bearer anna:geheim:ä", False),
        (basic("t0ken"), False),
        ("Digest t0ken", False),
        ("t0ken", False),
    ],
)
def test_only_the_right_credentials_are_let_in(header: str, good: bool) -> None:
    assert BOTH.admits(Access.READER, header) is good
    assert BOTH.admits(Access.HEALTH, header) is good
    assert BOTH.admits(Access.PUBLIC, header)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    for scheme in ("", "Basic ", "Bearer "):
        if header.strip() != "t0ken":
            assert not BOTH.admits(Access.READER, scheme + header)


def test_a_scheme_that_is_not_configured_lets_nobody_in() -> None:
    assert not HttpCredentials(token=Secret("t")).admits(Access.READER, basic(""))
    assert not HttpCredentials(basic=Secret("u:p")).admits(Access.READER, "Bearer ")


def test_health_can_be_open_while_the_rest_is_not() -> None:
    open_ = HttpCredentials(token=Secret("t"), open_health=True)

    assert open_.admits(Access.HEALTH, "")
    assert not open_.admits(Access.READER, "")


def test_without_credentials_everybody_may_read() -> None:
    assert HttpCredentials().admits(Access.READER, "")


def test_no_secret_can_be_printed() -> None:
    assert "geheim" not in repr(BOTH)
    assert "t0ken" not in repr(BOTH)
    assert BOTH.challenge == 'Basic realm="ldaphealth", charset="UTF-8", Bearer realm="ldaphealth"'
