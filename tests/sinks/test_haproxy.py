"""The lines for HAProxy's agent-check; tests/slapd/test_haproxy.py tests them with HAProxy."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.model import CheckEffect, Reason, State, Verdict
from ldaphealth.sinks.haproxy import MAX_CHARACTERS, line

# What tcpcheck_agent_expect_reply understands, of which only this is used.
GRAMMAR = re.compile(r"up (?:0|[1-9][0-9]?|100)%\n|down #[\x20-\x7e]*\n")


def out(*codes: str, held_by: str = "") -> Verdict:
    reasons = tuple(
        Reason(code, "sentence", State.CRITICAL, CheckEffect.OUT, removes=True) for code in codes
    )
    return Verdict(
        server="c/a",
        state=State.CRITICAL,
        in_service=False,
        weight=0,
        reasons=reasons,
        held_by=held_by,
    )


def serving(weight: int) -> Verdict:
    return Verdict(server="c/a", state=State.OK, in_service=True, weight=weight)


@pytest.mark.parametrize(
    ("verdict", "configured", "expected"),
    [
        (serving(100), 100, "up 100%\n"),
        (serving(50), 50, "up 100%\n"),
        (serving(40), 100, "up 40%\n"),
        (serving(5), 50, "up 10%\n"),
        (serving(1), 253, "up 1%\n"),
        (serving(200), 100, "up 100%\n"),
        (serving(0), 100, "up 0%\n"),
        (serving(0), 0, "up 0%\n"),
        (
            Verdict(server="c/a", state=State.OK, in_service=False, weight=0, draining=True),
            100,
            "up 0%\n",
        ),
        (out("bind.timeout"), 100, "down #bind.timeout\n"),
        (out("bind.timeout", "search.slow"), 100, "down #bind.timeout, search.slow\n"),
        (out(held_by="override"), 100, "down #override\n"),
        (out(), 100, "down #\n"),
        (out("x.y\r\nmaint\x1b[2J ä"), 100, "down #x.y\\r\\nmaint\\x1b[2J \\xe4\n"),
    ],
)
def test_the_line_of_a_verdict(verdict: Verdict, configured: int, expected: str) -> None:
    assert line(verdict, configured) == expected


@given(st.text(), st.booleans(), st.booleans(), st.integers(-5, 300), st.integers(-5, 300))
def test_every_line_has_this_syntax(
    code: str, in_service: bool, draining: bool, weight: int, configured: int
) -> None:
    reasons = (Reason(code, code, State.CRITICAL, CheckEffect.OUT, removes=True),)
    verdict = Verdict(
        server="c/a",
        state=State.OK,
        in_service=in_service,
        weight=weight,
        reasons=reasons,
        draining=draining,
    )
    expected = line(verdict, configured)

    assert GRAMMAR.fullmatch(expected)
    assert len(expected) <= MAX_CHARACTERS + 1
