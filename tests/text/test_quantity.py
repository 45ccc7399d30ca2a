"""One is counted as one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldaphealth.text.quantity import plural_of, quantity

ROOT = Path(__file__).parents[2] / "ldaphealth"
# A number before a noun in the plural that people count.
NOUNS = (
    "servers|clusters|seconds|minutes|hours|days|rounds|probes|checks|entries|operations|changes"
    "|threads|requests|values|times|lines|items|records|shapes|links|mistakes|problems|others"
)
COUNTED = re.compile(rf"\{{[^{{}}]+\}} (?:{NOUNS})\b(?! response time)")
# Verbs, and numbers of at least two.
FINE = re.compile(
    r"\{MOST\w*\}|\{\w+_TIMES\}|\{WITNESSES\}|\{window|\{seconds:\.3f\} seconds"
    r"|\{count\} entries, the first"
    r"|\{ratio:\.1f\} times|\{(?:rate\.of|operation)\} operations"
)


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 entries"), (1, "1 entry"), (1.0, "1 entry"), (1.5, "1.5 entries")]
)
def test_a_number_with_its_noun(number: float, shown: str) -> None:
    assert quantity(number, "entry", "entries") == shown


def test_a_noun_without_plural_gets_an_s() -> None:
    assert (quantity(1, "server"), quantity(2, "server")) == ("1 server", "2 servers")
    assert (plural_of(1, "answers", "answer"), plural_of(0, "answers", "answer")) == (
        "answers",
        "answer",
    )


def test_no_message_counts_without_it() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if COUNTED.search(line) and not FINE.search(line)
    ]

    assert not found
