"""Does the server say that it holds the suffix? An example of a check in a package of its own.

The root DSE lists the naming contexts of a server (RFC 4512 5.1); one that lost a database, or was
set up for another, does not list the suffix.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from ldaphealth.plugin import Check, CheckEffect, Finding, Meta, Session, State, Struct, View


class Params(Struct, frozen=True):
    """The settings: `ldaphealth config check` checks and `config schema` describes them."""

    suffix: Annotated[str, Meta(description="the naming context; empty: the cluster's suffix")] = ""


class Facts(Struct, frozen=True):
    """What is wanted, and what the server lists."""

    wanted: str
    held: tuple[str, ...]


def observe(session: Session, params: Params) -> Facts:
    """Read the root DSE. There is no opinion here, and errors of the session pass through."""
    entry = session.read("", ("namingContexts",))
    return Facts(params.suffix or session.server.suffix, entry.get("namingcontexts", ()))


def judge(view: View[Facts], _: Params) -> Iterable[Finding]:
    """Judge what was seen: a stable code, and a sentence for a person at night. It does no I/O."""
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
