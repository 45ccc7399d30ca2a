"""What a finding can do to its server, by the effect of its check, its trust and its state."""

from __future__ import annotations

import pytest

from ldaphealth.model import CheckEffect, State, Trust
from ldaphealth.text.effect_words import CANNOT_REMOVE, LOWERS_WEIGHT, REMOVES, effect_words


@pytest.mark.parametrize(
    ("effect", "trust", "state", "words"),
    [
        ("out", "hard", "CRITICAL", "no LDAP service: removes the server"),
        ("out", "soft", "CRITICAL", "removes the server while enough others remain"),
        ("out", "soft", "WARNING", ""),
        ("out", "expectation", "CRITICAL", "removes the server unless most servers share it"),
        ("out", "told", "CRITICAL", CANNOT_REMOVE),
        ("out", "ours", "UNKNOWN", "says nothing about the server"),
        ("weight", "soft", "WARNING", LOWERS_WEIGHT),
        ("weight", "told", "CRITICAL", CANNOT_REMOVE),
        ("watch", "hard", "CRITICAL", CANNOT_REMOVE),
        ("watch", "soft", "WARNING", CANNOT_REMOVE),
    ],
)
def test_the_words(effect: str, trust: str, state: str, words: str) -> None:
    assert effect_words(effect, trust, state) == words


def test_what_can_remove_has_words() -> None:
    assert {*REMOVES} == {each.value for each in Trust if each.can_remove}


@pytest.mark.parametrize("effect", CheckEffect)
@pytest.mark.parametrize("trust", Trust)
def test_a_critical_finding_always_has_words(effect: CheckEffect, trust: Trust) -> None:
    assert effect_words(effect.value, trust.value, State.CRITICAL.name)
