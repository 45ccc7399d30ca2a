"""Facts that share what did not change with the facts before them, so that both take less memory.

Most facts of a check are those of the round before: a certificate, the settings of a consumer, what
a session asked for. Pure; values that are equal are taken for the same.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.model import AnyObservation

CONTAINERS = (Struct, dict, tuple, str)  # small numbers are shared by Python itself


def sharing(seen: AnyObservation, before: AnyObservation) -> AnyObservation:
    """Return the same observation, whose facts have the objects of those before where equal."""
    facts = _sharing(seen.facts, before.facts)
    return seen if facts is seen.facts else replace(seen, facts=facts)


def _sharing(facts: Any, before: Any) -> Any:
    """Return facts that equal these."""
    if type(facts) is not type(before) or not isinstance(facts, Struct):
        return facts
    if facts == before:
        return before
    same: dict[str, Any] = {}
    for name in facts.__struct_fields__:
        value, other = getattr(facts, name), getattr(before, name)
        if value is not other and isinstance(value, CONTAINERS) and value == other:
            same[name] = other
    return replace(facts, **same) if same else facts
