"""Who may read: the right credentials, whatever else a header holds."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.model import Secret
from ldaphealth.web.access import Access, HttpCredentials

BOTH = HttpCredentials(Secret("anna:geheim:ä"), Secret("t0ken"))
# "geheim:ä" and 72 times "x", with the least cost; $2y$ as htpasswd(1) writes it
HASHED = HttpCredentials(
    hashed={
        "anna": Secret("$2b$04$bMpNuGnNi3dI5gCNQ5aZgeTDpqzPNzA9m/JvXjxweuvZtUKN3rjI6"),
        "otto": Secret("$2y$04$L0ws.yniNZ1fobVBVIqg0OYEQU.PwNrKbQagwnkJ6QHDg3aJ0gcBK"),
    }
)


def admits(credentials: HttpCredentials, access: Access, header: str) -> bool:
    return not credentials.are_required(access) or credentials.accept(header)


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
    assert admits(BOTH, Access.READER, header) is good
    assert admits(BOTH, Access.HEALTH, header) is good
    assert admits(BOTH, Access.PUBLIC, header)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    for scheme in ("", "Basic ", "Bearer "):
        if header.strip() != "t0ken":
            assert not admits(BOTH, Access.READER, scheme + header)


def test_a_scheme_that_is_not_configured_lets_nobody_in() -> None:
    assert not admits(HttpCredentials(token=Secret("t")), Access.READER, basic(""))
    assert not admits(HttpCredentials(basic=Secret("u:p")), Access.READER, "Bearer ")


def test_health_can_be_open_while_the_rest_is_not() -> None:
    open_ = HttpCredentials(token=Secret("t"), open_health=True)

    assert admits(open_, Access.HEALTH, "")
    assert not admits(open_, Access.READER, "")


def test_without_credentials_everybody_may_read() -> None:
    assert admits(HttpCredentials(), Access.READER, "")


def test_no_secret_can_be_printed() -> None:
    assert "geheim" not in repr(BOTH)
    assert "t0ken" not in repr(BOTH)
    assert "$2b$" not in repr(HASHED)
    assert BOTH.challenge == 'Basic realm="ldaphealth", charset="UTF-8", Bearer realm="ldaphealth"'


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (basic("anna:geheim:ä"), True),
        (basic("otto:" + "x" * 72), True),
        pytest.param(basic("otto:" + "x" * 80), True, id="as htpasswd and Go compare it"),
        (basic("otto:" + "x" * 71), False),
        (basic("otto:geheim:ä"), False),
        (basic("anna:falsch"), False),
        (basic("anna:"), False),
        (basic("anna"), False),
        (basic(":geheim:ä"), False),
        pytest.param(basic("berta:geheim:ä"), False, id="an unknown user"),
        pytest.param(basic("anna:geheim:ä\0"), False, id="a NUL"),
        (basic("anna:" + HASHED.hashed["anna"].reveal()), False),
        ("Bearer t0ken", False),
        ("", False),
    ],
)
def test_hashed_passwords_are_compared(header: str, good: bool) -> None:
    assert HASHED.accept(header) is good
    assert HASHED.are_required(Access.READER)
    assert HASHED.challenge == 'Basic realm="ldaphealth", charset="UTF-8"'
