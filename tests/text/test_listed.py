"""A list that is too long for a sentence says how much it leaves out."""

from __future__ import annotations

import pytest

from ldaphealth.text.listed import listed


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_names_and_how_many_more(names: list[str], shown: str) -> None:
    assert listed(names, 2) == shown
