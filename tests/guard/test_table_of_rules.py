"""The table of rules is complete, and docs/verdicts.md has the same sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ldaphealth.guard import RULES, Rule, held_words, rule_named
from tests.guard.test_memory import GOOD, HARD, SOFT, Story

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"
GLOSSARY = DOCUMENT.with_name("glossary.md")
# For each sentence of a rule a story in which it holds the server s0 on that side.
HELD: dict[str, Callable[[], Story]] = {
    "in by blind": lambda: Story().all(GOOD).all(HARD),
    "in by settle": lambda: Story().all(GOOD).round({"s0": SOFT}),
    "out by settle": lambda: Story().all(GOOD).round({"s0": HARD, "s1": GOOD}).all(GOOD),
    "in by override": lambda: Story().all(GOOD).say("s0", "in", 60.0),
    "out by override": lambda: Story().all(GOOD).say("s0", "out", 60.0),
    "in by floor": lambda: Story(servers=2, floor=2).round({"s0": SOFT, "s1": GOOD}),
}
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


def test_there_is_a_story_for_each_sentence() -> None:
    sides = [("in", rule.keeps_in, rule.name) for rule in RULES]
    sides += [("out", rule.keeps_out, rule.name) for rule in RULES]

    assert {*HELD} == {f"{side} by {name}" for side, sentence, name in sides if sentence}


@pytest.mark.parametrize("held", HELD)
def test_a_rule_holds_the_server_of_its_story(held: str) -> None:
    assert HELD[held]().of("s0") == held


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_glossary_has_a_row_for_each_rule(rule: Rule) -> None:
    rows = [
        line
        for line in GLOSSARY.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {rule.name} |")
    ]

    assert [f"`guard/rules.py` `{rule.apply.__name__}`" in row for row in rows] == [True]


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("name", ["", "Blind", "blind ", "someone else's"])
def test_another_name_is_no_rule(name: str) -> None:
    assert rule_named(name) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda each: each.name)
def test_each_side_of_a_rule_has_a_few_words_for_other_outputs(rule: Rule) -> None:
    assert (bool(rule.kept_in), bool(rule.kept_out)) == (bool(rule.keeps_in), bool(rule.keeps_out))


@pytest.mark.parametrize(
    ("rule", "in_service", "words"),
    [
        ("", True, ""),
        ("floor", True, "held by floor (kept in: too few servers would remain without it)"),
        ("of another release", False, "held by of another release"),
        ("a\nb", True, "held by a\\nb"),
    ],
)
def test_a_rule_is_named_with_these_words(rule: str, in_service: bool, words: str) -> None:
    assert held_words(rule, in_service=in_service) == words
