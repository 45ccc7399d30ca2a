"""The table of rules is complete, and docs/verdicts.md has the same sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldaphealth.guard import RULES, Rule, rule_named

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"
ROW = re.compile(r"\| `(\w+)` \|(.*)\|(.*)\|")


def documented() -> list[tuple[str, str, str]]:
    """Return the rows of the document: the rule, and its sentences for both sides."""
    _, text = DOCUMENT.read_text(encoding="utf-8").split("| rule | of a server that it keeps in")
    rows = text.partition("\n\n")[0].splitlines()[2:]
    found = [ROW.fullmatch(row) for row in rows]
    return [(row[1], row[2].strip(), row[3].strip()) for row in found if row]


def test_the_document_has_the_rules_in_their_order_with_their_sentences() -> None:
    assert documented() == [(rule.name, rule.keeps_in, rule.keeps_out) for rule in RULES]


def test_the_document_explains_each_rule_in_the_same_order() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert re.findall(r"^\d+\. `(\w+)`:", text, re.MULTILINE) == [rule.name for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_found_by_its_name_and_has_a_sentence(rule: Rule) -> None:
    assert rule_named(rule.name) is rule
    assert re.fullmatch(r"[a-z_]+", rule.name)
    assert rule.keeps_in or rule.keeps_out
    for sentence in filter(None, (rule.keeps_in, rule.keeps_out)):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "|" not in sentence


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("name", ["", "Blind", "blind ", "someone else's"])
def test_another_name_is_no_rule(name: str) -> None:
    assert rule_named(name) is None
