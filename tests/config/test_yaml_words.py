"""A mistake in YAML is named with its place in plain words, by both parsers of PyYAML."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ldaphealth.config.mistakes import ConfigError
from ldaphealth.config.yaml_file import read_yaml, yaml_mistake

MISTAKES = {
    "a: 1\nb\nc: 2\n": "line 2, column 1: a `key: value` was expected",
    "a: b: c\n": "or the line has a second colon",
    "a: 'b\nc: 2\n": "line 1, column 4: the quote that begins here is not closed",
    "a: {b: 1\nc: 2\n": "a comma or the closing } was expected",
    "a: [1, 2\nc: 2\n": "a comma or the closing ] was expected",
    "a:\n  b: 1\n c: 2\n": "line 3, column 2: ",
    "a:\n\tb: 1\n": "line 2, column 1: a tab stands before it: use spaces",
    "a: @x\n": "line 1, column 4: '@' cannot begin a value or a key",
    "a: `x`\n": "'`' cannot begin a value or a key",
    "a: - b\n": "a list cannot begin in the line of its key",
    'a: "\\q"\n': "an unknown escape in double quotes",
    "a: 1\n---\nb: 2\n": "the file must have one document",
    "a: !foo x\n": "a tag that begins with ! is not known",
    "a: *b\n": "repeat the values",
    "%a\nb: 1\n": "line 1, column ",
    "- a\nb: 1\n": "line 2, column 1: ",
    "a: \x01\n": "line 1, column 4: an octet that UTF-8 or YAML does not permit",
}
JARGON = ("token", "scanning", "parsing", "context", "stream", "simple key", "node", "constructor")


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(text: str, tmp_path: Path) -> None:
    (file := tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_yaml(file)

    (line,) = raised.value.problems
    assert MISTAKES[text] in line
    assert not any(each in line for each in JARGON)


@pytest.mark.parametrize("text", MISTAKES)
def test_without_libyaml_the_words_are_plain_too(text: str) -> None:
    with pytest.raises(yaml.YAMLError) as raised:
        yaml.load(text, Loader=yaml.SafeLoader)

    line = yaml_mistake(raised.value, text.encode())
    assert line.startswith("line ") or "*b" in text
    assert not any(each in line for each in JARGON)


def test_octets_that_are_not_utf_8(tmp_path: Path) -> None:
    (file := tmp_path / "x.yaml").write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(ConfigError, match="line 2, column 4: an octet"):
        read_yaml(file)
