"""From findings to verdicts, considering the whole cluster and its past. Pure.

`decide` returns the verdicts: to the agent after each round, and to the one-shot command, whose
memory is empty.
"""

from __future__ import annotations

from ldaphealth.guard.decision import Decision, Situation, decide, decide_on, effects_by_server
from ldaphealth.guard.holding import Holding, holding
from ldaphealth.guard.memory import Memory, Override, RoundPeriod, ServerMemory
from ldaphealth.guard.quiet import restless, servers_to_decide
from ldaphealth.guard.reading import FoundOnServer, found_on_server
from ldaphealth.guard.rules import RULES, Rule, held_words, is_in_doubt, rule_named

__all__ = [
    "RULES",
    "Decision",
    "FoundOnServer",
    "Holding",
    "Memory",
    "Override",
    "RoundPeriod",
    "Rule",
    "ServerMemory",
    "Situation",
    "decide",
    "decide_on",
    "effects_by_server",
    "found_on_server",
    "held_words",
    "holding",
    "is_in_doubt",
    "restless",
    "rule_named",
    "servers_to_decide",
]
