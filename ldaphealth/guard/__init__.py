"""From findings to verdicts, considering the whole cluster and its past. Pure.

`decide` returns the verdicts: to the agent after each round, and to the one-shot command, whose
memory is empty.
"""

from __future__ import annotations

from ldaphealth.guard.decision import Decision, decide
from ldaphealth.guard.holding import Holding, holding
from ldaphealth.guard.memory import Memory, Override, RoundPeriod, ServerMemory
from ldaphealth.guard.rules import RULES, Rule, held_words, is_in_doubt, rule_named

__all__ = [
    "RULES",
    "Decision",
    "Holding",
    "Memory",
    "Override",
    "RoundPeriod",
    "Rule",
    "ServerMemory",
    "decide",
    "held_words",
    "holding",
    "is_in_doubt",
    "rule_named",
]
