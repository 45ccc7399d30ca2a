"""A search: its result code, the number of entries, optionally a value, and the time.

It finds a server that answers but has lost its data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.model import CheckEffect, Finding, State, Trust

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

AT_LEAST_ONE = Thresholds(critical=Range(start=1))


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. The server sends at most `size_limit` entries."""

    base: Annotated[str, Meta(description="where to search; empty: the suffix")] = ""
    scope: Annotated[
        Literal["base", "one", "sub"], Meta(description="the scope (RFC 4511 4.5.1.2)")
    ] = "base"
    filter: Annotated[str, Meta(description="a filter as in RFC 4515")] = "(objectClass=*)"
    attribute: Annotated[str, Meta(description="an entry must have this attribute")] = ""
    value: Annotated[str, Meta(description="and this value in it; empty: any")] = ""
    size_limit: Annotated[
        int, Meta(description="the number of entries that the server sends at most, 1 to 1000")
    ] = 200
    entries: Annotated[Thresholds, Meta(description="the number of entries found")] = AT_LEAST_ONE
    seconds: Annotated[Thresholds, Meta(description="the time of the search")] = at_most(0.5, 2.0)

    def __post_init__(self) -> None:
        if not 1 <= self.size_limit <= 1000:  # noqa: PLR2004  64 KiB hold about that many
            raise ValueError("size_limit is a number of entries from 1 to 1000")
        if self.value and not self.attribute:
            raise ValueError("value needs attribute, the attribute that must hold it")


class Facts(Struct, frozen=True):
    """How many entries were found, and how many of them hold the value."""

    entries: int
    matching: int


def observe(session: Session, params: Params) -> Facts:
    """Search; count the entries and those that hold the value."""
    attributes = (params.attribute,) if params.attribute else ("1.1",)  # RFC 4511 4.5.1.8: none
    base = params.base or session.server.suffix
    found = session.search(base, params.scope, params.filter, attributes, params.size_limit)
    values = [entry.get(params.attribute.lower(), ()) for _, entry in found]
    matching = [held for held in values if held and (not params.value or params.value in held)]
    return Facts(len(found), len(matching))


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the number of entries, the value, and the time."""
    count = view.facts.entries
    metrics = (params.entries.metric("search_entries", count),)
    state = params.entries.state(count)
    no_value = params.attribute and not view.facts.matching
    if state is not State.OK:
        expected = params.entries.critical if state is State.CRITICAL else params.entries.warning
        summary = f"the search found {count} entries, expected {expected}"
        yield view.finding(state, "entries", summary, metrics, Trust.EXPECTATION)
    if state is not State.CRITICAL and no_value:
        value = f"{params.attribute}: {params.value}".rstrip(": ")
        summary = f"no entry has {value}"
        yield view.finding(State.CRITICAL, "value", summary, metrics, Trust.EXPECTATION)
    besides = metrics if state is State.OK and not no_value else ()
    yield from judge_seconds(view, params.seconds, f", {count} entries", besides)


CHECK = Check(
    name="search",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    effect=CheckEffect.OUT,
)
