"""Where contextCSN is found, and that a server that fails is not taken for one without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from ldaphealth.content.context_csn import MOST_SUPERIORS, read_context_csn, superior_with_csn
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind


class Showing:
    """A session with a server that shows contextCSN at some entries."""

    def __init__(self, shown: Mapping[str, tuple[str, ...]], dead: str = "nowhere") -> None:
        self._shown, self._dead = shown, dead
        self.was_read: list[str] = []

    def read(self, dn: str, attributes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the attribute, or noSuchObject."""
        self.was_read.append(dn)
        if dn == self._dead:
            raise SessionError(Failure(FailureKind.TIMEOUT, "no answer"))
        if dn not in self._shown:
            raise SessionError(Failure(FailureKind.RESULT, "none", "noSuchObject"))
        return {attributes[0].lower(): self._shown[dn]}


FOUND = {
    "in the suffix": ("dc=x", {"dc=x": ("a",)}, ("a",)),
    "in the suffix, and before that elsewhere": (
        "dc=x",
        {"dc=x": ("a",), "cn=ldapsync,dc=x": ("b",)},
        ("a",),
    ),
    "in the subentry": ("dc=x", {"dc=x": (), "cn=ldapsync,dc=x": ("b",)}, ("b",)),
    "in the subentry of the empty suffix": ("", {"": (), "cn=ldapsync": ("b",)}, ("b",)),
    "nowhere": ("dc=x", {"dc=x": ()}, ()),
}


@pytest.mark.parametrize(("base", "shown", "expected"), FOUND.values(), ids=FOUND)
def test_context_csn_is_found(
    base: str, shown: Mapping[str, tuple[str, ...]], expected: tuple[str, ...]
) -> None:
    assert read_context_csn(cast("Session", Showing(shown)), base) == expected


def test_a_suffix_that_is_missing_is_an_error() -> None:
    with pytest.raises(SessionError, match="none"):
        read_context_csn(cast("Session", Showing({})), "dc=x")


def test_a_server_that_does_not_answer_is_not_one_without_context_csn() -> None:
    dead = cast("Session", Showing({"dc=x": ()}, dead="cn=ldapsync,dc=x"))

    with pytest.raises(SessionError, match="no answer"):
        read_context_csn(dead, "dc=x")


SUPERIORS = {
    "the next one": ("ou=a,dc=x", {"dc=x": ("a",)}, "dc=x"),
    "one further up": ("ou=a,ou=b,dc=x", {"ou=b,dc=x": (), "dc=x": ("a",)}, "dc=x"),
    "a comma in a value": (r"ou=a\,b,dc=x", {"dc=x": ("a",)}, "dc=x"),
    "none": ("ou=a,dc=x", {}, ""),
    "of the empty suffix": ("", {}, ""),
}


@pytest.mark.parametrize(("base", "shown", "expected"), SUPERIORS.values(), ids=SUPERIORS)
def test_the_superior_that_has_context_csn_is_found(
    base: str, shown: Mapping[str, tuple[str, ...]], expected: str
) -> None:
    assert superior_with_csn(cast("Session", Showing(shown)), base) == expected


def test_few_superiors_are_read() -> None:
    session = Showing({})
    superior_with_csn(cast("Session", session), ",".join(["ou=a"] * 50))

    assert len(session.was_read) == MOST_SUPERIORS
