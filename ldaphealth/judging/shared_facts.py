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


def _sharing(value: Any, before: Any) -> Any:
    """Return what equals the value: `before`, or else the value with the equal parts of `before`.

    Parts are the fields of a Struct, and the elements of a tuple that has as many.
    """
    if value is before or type(value) is not type(before) or not isinstance(value, CONTAINERS):
        return value
    if value == before:
        return before
    if isinstance(value, Struct):
        return _sharing_fields(value, before)
    if type(value) is tuple and len(value) == len(before):
        return tuple(map(_sharing, value, before))
    return value


def _sharing_fields(value: Struct, before: Struct) -> Struct:
    same: dict[str, Any] = {}
    for name in value.__struct_fields__:
        own = getattr(value, name)
        shared = _sharing(own, getattr(before, name))
        if shared is not own:
            same[name] = shared
    return replace(value, **same) if same else value
