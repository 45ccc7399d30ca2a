"""Characters that nobody types: the categories Cc and Cs of Unicode, and no others."""

from __future__ import annotations

import sys
from unicodedata import category

from ldaphealth.text.untyped import has_untyped


def test_untyped_are_the_control_characters_and_surrogates_of_unicode() -> None:
    every = map(chr, range(sys.maxunicode + 1))

    assert all(has_untyped(each) is (category(each) in {"Cc", "Cs"}) for each in every)


def test_one_such_character_suffices() -> None:
    assert has_untyped("secret\t1")
    assert not has_untyped("s\u0301ecret \u200b\u2028 1")
