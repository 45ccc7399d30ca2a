"""Check that a server holds the suffix: an example of a check in a package of its own.

The root DSE lists the naming contexts of a server (RFC 4512 5.1); one that lost a database, or was
set up with another suffix, does not list it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from ldaphealth.plugin import Check, CheckEffect, Finding, Meta, Session, State, Struct, View


class Params(Struct, frozen=True):
    """The settings: `ldaphealth config check` checks and `config schema` describes them."""

    suffix: Annotated[str, Meta(description="the naming context; empty: the cluster's suffix")] = ""


class Facts(Struct, frozen=True):
    """The naming context to look for, and those that the server lists."""

    wanted: str
    held: tuple[str, ...]


def observe(session: Session, params: Params) -> Facts:
    """Read the root DSE. Errors of the session pass through."""
    entry = session.read("", ("namingContexts",))
    return Facts(params.suffix or session.server.suffix, entry.get("namingcontexts", ()))


def judge(view: View[Facts], _: Params) -> Iterable[Finding]:
    """Judge the facts: a stable code, and a sentence that explains it. A judge does no I/O."""
    facts = view.facts
    if facts.wanted in facts.held:
        yield view.finding(State.OK, "ok", f"holds {facts.wanted}")
    else:
        yield view.finding(State.CRITICAL, "missing", f"does not hold {facts.wanted}")


CHECK = Check(
    name="naming_context",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    effect=CheckEffect.OUT,
)
