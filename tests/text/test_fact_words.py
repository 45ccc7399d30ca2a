"""Facts of any check become lines of words and units, without values of Python."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import (
    booleans,
    dictionaries,
    floats,
    integers,
    lists,
    none,
    recursive,
    text,
)

from ldaphealth.text.fact_words import fact_lines

NAMES = text("abcdefgh_", min_size=1, max_size=20)
VALUES = recursive(
    none()
    | booleans()
    | integers()
    | floats(allow_nan=False, allow_infinity=False)
    | text("abc .,;-", max_size=30),
    lambda inner: lists(inner, max_size=4) | dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PYTHON_VALUES = re.compile(r"\{'|\['|\b(True|False|None)\b|\(\)|\.\d{7,}")


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({}, []),
        ({"is_there": True, "limited": False}, ["is there: yes", "limited: no"]),
        ({"grace_logins": None}, ["grace logins: not known"]),
        ({"detail": ""}, ["detail: none"]),
        ({"names": ["a.example", "b.example"]}, ["names: a.example, b.example"]),
        ({"names": []}, ["names: none"]),
        ({"late_seconds": 0.0012345678901234}, ["late: 1.2 ms"]),
        ({"late_seconds": 4325.0}, ["late: 1 h 12 min"]),
        ({"late_seconds": -7.0}, ["late: -7.0 s"]),
        ({"observed_epoch_seconds": 1795750030.493}, ["observed: 2026-11-27T03:27:10Z"]),
        ({"free_bytes": 10_485_760}, ["free: 10 MiB"]),
        ({"connections_ratio": 0.0009765625}, ["connections: 0.0977%"]),
        ({"size": 12.3456789}, ["size: 12.3"]),
        ({"canary": "ours"}, ["canary: of this agent"]),
        ({"completed": {"bind": 41, "search": 395}}, ["completed: bind 41, search 395"]),
        ({"seconds": {"bind": 0.00025}}, ["seconds: bind 250 µs"]),
        ({"entries": {"dc=example,dc=com": 33}}, ["entries:", "  dc=example,dc=com: 33"]),
        ({"started": "20261127032651Z"}, ["started: 2026-11-27T03:26:51Z"]),
        (
            {"csn": "20261120120000.000000Z#000000#001#000000"},
            ["csn 001: 2026-11-20T12:00:00Z change 0"],
        ),
        (
            {"contextCSN": ["20261120Z", "20261120120000.500000Z#00000a#00a#000000"]},
            ["contextCSN 20261120Z", "contextCSN 00a: 2026-11-20T12:00:00.500000Z change 10"],
        ),
        (
            {"databases": [{"name": "cn=config", "is_copy": False}, {"name": "dc=a"}]},
            ["databases:", "  - name: cn=config", "    is copy: no", "  - name: dc=a"],
        ),
        ({"detail": "a\x1b[31mb"}, ["detail: a\\x1b[31mb"]),
    ],
)  # fmt: skip
def test_facts_are_shown_by_their_type_and_the_unit_in_their_name(
    facts: dict[str, Any], lines: list[str]
) -> None:
    assert fact_lines(facts) == lines


@given(dictionaries(NAMES, VALUES, max_size=5))
def test_facts_of_another_package_never_show_values_of_python(facts: dict[str, Any]) -> None:
    for line in fact_lines(facts):
        assert not PYTHON_VALUES.search(line)
        assert line.isprintable()


def test_nothing_is_cut() -> None:
    names = [f"cn=entry number {number},ou=people,dc=example,dc=com" for number in range(100)]

    assert fact_lines({"odd_dns": names}) == [f"odd dns: {', '.join(names)}"]
