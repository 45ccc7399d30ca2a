"""A search: its result code, the number of entries, optionally a value, and the time.

It finds a server that answers but has lost its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.duration import SECONDS_METRIC, judge_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Range, Thresholds, at_most
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter, assertion, both
from ldaphealth.model import CheckEffect, Finding, Metric, State, Trust
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

COUNTED: dict[str, object] = {"least": 0.0, "most": "size_limit"}
AT_LEAST_ONE = Thresholds(critical=Range(start=1))


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. The server sends at most `size_limit` entries."""

    base: Annotated[DN, Meta(description="where to search; empty: the suffix")] = DN("")
    scope: Annotated[
        Literal["base", "one", "sub"], Meta(description="the scope (RFC 4511 4.5.1.2)")
    ] = "base"
    filter: Annotated[
        Filter,
        Meta(description="a filter as in RFC 4515; the outermost parentheses may be missing"),
    ] = Filter("(objectClass=*)")
    attribute: Annotated[
        AttributeName,
        Meta(description="an entry must have this attribute; the server looks for it"),
    ] = AttributeName("")
    value: Annotated[
        str, Meta(description="and this value in it, as the server compares it; empty: any")
    ] = ""
    size_limit: Annotated[
        int, Meta(description="the number of entries that the server sends at most, 1 to 1000")
    ] = 200
    entries: Annotated[
        Thresholds, Meta(description="the number of entries found", extra=COUNTED)
    ] = AT_LEAST_ONE
    seconds: Annotated[
        Thresholds, Meta(description="the time of the search", extra=SECONDS_OF_A_ROUND)
    ] = at_most(0.5, 2.0)

    def __post_init__(self) -> None:
        if not 1 <= self.size_limit <= 1000:  # noqa: PLR2004  64 KiB hold about that many
            raise ValueError("size_limit is a number of entries from 1 to 1000")
        if self.value and not self.attribute:
            raise ValueError("value needs attribute, the attribute that must hold it")


class Facts(Struct, frozen=True):
    """How many entries were found, and how many of them were seen to hold the value, 0 or 1.

    `limited`: a limit of the server or of the session ended the search; there may be more entries.
    `limited_by_server`: it was one of the server, below `size_limit`.
    """

    entries: int
    matching: int
    limited: bool = False
    limited_by_server: bool = False


def observe(session: Session, params: Params) -> Facts:
    """Count the entries; search for one that holds the value, which the server compares."""
    base = params.base or session.server.suffix
    found = session.count(base, params.scope, params.filter, params.size_limit)
    matching = 0
    if params.attribute and found.entries:
        holding = both(params.filter, assertion(params.attribute, params.value))
        matching = session.count(base, params.scope, holding, 1).entries
    return Facts(found.entries, matching, found.limited, found.limited_by_server)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the number of entries, the value, and the time."""
    facts = view.facts
    metrics = (params.entries.metric(f"{view.check}_entries", facts.entries),)
    counted = quantity(facts.entries, "entry", "entries") + " or more" * facts.limited
    state = _state(params.entries, facts)
    no_value = params.attribute and not facts.matching
    if state is State.UNKNOWN:
        yield _limited(view, counted, metrics)
    elif state is not State.OK:
        expected = params.entries.critical if state is State.CRITICAL else params.entries.warning
        summary = f"the search found {counted}, expected {expected}"
        yield view.finding(state, "entries", summary, metrics, Trust.EXPECTATION)
    if state is not State.CRITICAL and no_value:
        value = f"{params.attribute}: {params.value}".rstrip(": ")
        summary = f"no entry has {value}, or there is no right to search for it"
        yield view.finding(State.CRITICAL, "value", summary, metrics, Trust.EXPECTATION)
    besides = metrics if state is State.OK and not no_value else ()
    yield from judge_seconds(view, params.seconds, f", {counted}", besides)


def _limited(view: View[Facts], counted: str, metrics: Sequence[Metric]) -> Finding:
    """Return the finding that a limit hides whether there are enough entries, or too many."""
    summary = (
        f"the search found {counted}: a size limit hides how many; raise the limit of the "
        "server for this account, or search for fewer"
    )
    if view.facts.limited_by_server:
        return view.finding(State.CRITICAL, "limited", summary, metrics, Trust.EXPECTATION)
    return view.finding(State.UNKNOWN, "limited", summary, metrics, Trust.LOCAL)


def _state(limits: Thresholds, facts: Facts) -> State:
    """Judge the number of entries; UNKNOWN if it depends on those that a limit hides."""
    if not facts.limited:
        return limits.state(facts.entries)
    ranges = [each for each in (limits.warning, limits.critical) if each is not None]
    changes = {place for each in ranges for place in (each.start, each.end + 1)}
    numbers = {float(facts.entries), *(each for each in changes if each > facts.entries)}
    states = {limits.state(each) for each in numbers}
    return states.pop() if len(states) == 1 else State.UNKNOWN


CHECK = Check(
    name="search",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=1,
    judged_metrics={"seconds": (SECONDS_METRIC,)},
    effect=CheckEffect.OUT,
)
