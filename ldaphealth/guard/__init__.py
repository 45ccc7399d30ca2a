"""From findings to verdicts, with the whole cluster and its past in view. Pure.

`decide` does it, for the agent after each round and for the one-shot command with an empty memory.
"""

from __future__ import annotations

from ldaphealth.guard.decision import Decision, decide
from ldaphealth.guard.memory import Memory, Override, RoundPeriod, ServerMemory
from ldaphealth.guard.rules import RULES, Rule, rule_named

__all__ = [
    "RULES",
    "Decision",
    "Memory",
    "Override",
    "RoundPeriod",
    "Rule",
    "ServerMemory",
    "decide",
    "rule_named",
]
