"""What a rule holds a server for, and until when, is a sentence."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.guard import RULES, Override, ServerMemory, holding
from ldaphealth.guard.hold_ends import ends_by_itself
from ldaphealth.model import State, Verdict
from ldaphealth.settings import Settle, WhenAllFail
from tests.checks.seen import cluster, planned

NOW = 1000.0
CLUSTER = replace(
    cluster(planned("connect")),
    min_in_service=2,
    settle=Settle(
        fall_hard=1, fall_soft=3, rise=2, min_out_seconds=30.0, believe_seconds=15.0,
        when_all_fail=WhenAllFail.OUT,
    ),
)  # fmt: skip
IN = ServerMemory(in_service=True, since=900.0)
OUT = ServerMemory(in_service=False, since=990.0, fell=(990.0,))


def verdict(rule: str, *, in_service: bool) -> Verdict:
    return Verdict(
        server="c/s0", state=State.CRITICAL, in_service=in_service, weight=1, held_by=rule
    )


@pytest.mark.parametrize(
    ("rule", "past", "until"),
    [
        ("settle", replace(IN, bad=1, blamed=1),
         "2 more failed rounds in a row, after which it goes out, or a good one"),
        ("settle", replace(IN, bad=2, blamed=2),
         "1 more failed round in a row, after which it goes out, or a good one"),
        ("settle", IN, "enough rounds in a row call for another weight"),
        ("settle", replace(OUT, good=1),
         "1 more good round in a row and not before 20 s from now"),
        ("settle", replace(OUT, good=2, since=900.0), "the next round"),
        ("blind", replace(IN, bad=1, silent_since=995.0),
         "another server answers, or 10 s have passed"),
        ("blind", replace(IN, bad=9, bad_since=900.0),
         "a server no longer has the failure that they share; its finding says what to do"),
        ("floor", replace(IN, bad=9), "enough others are in service: min_in_service is 2"),
    ],
)  # fmt: skip
def test_what_ends_the_hold_of_a_rule(rule: str, past: ServerMemory, until: str) -> None:
    held = holding(verdict(rule, in_service=past.in_service), past, None, CLUSTER, NOW)

    assert held is not None
    assert (held.rule, held.until) == (rule, until)
    assert held.why


def test_an_override_holds_until_it_ends() -> None:
    drain = Override("drain", NOW + 7200.0, "new kernel", "alice")

    held = holding(verdict("override", in_service=False), OUT, drain, CLUSTER, NOW)

    assert held is not None
    assert held.why == "An operator took it out."
    assert held.until == "the override ends in 2 h, or `undrain`"


def test_each_rule_has_an_end() -> None:
    assert all(rule.ends is not ends_by_itself or rule.is_operators_will for rule in RULES)
    assert holding(verdict("", in_service=True), IN, None, CLUSTER, NOW) is None
