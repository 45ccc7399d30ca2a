"""Does the server say that it holds the suffix? An example of a check in a package of its own.

The root DSE lists the naming contexts of a server (RFC 4512 5.1); one that lost a database, or was
set up for another, does not list the suffix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check
from ldaphealth.model import CheckEffect, Finding, State

if TYPE_CHECKING:
    from ldaphealth.check import View
    from ldaphealth.ldap.session import Session


class Params(Struct, frozen=True):
    """The settings: `ldaphealth config check` checks and `config schema` describes them."""

    suffix: Annotated[str, Meta(description="the naming context; empty: the cluster's suffix")] = ""


def observe(session: Session, params: Params) -> Mapping[str, object]:
    """See: facts without opinion. Errors of the session are somebody else's business."""
    entry = session.read("", ("namingContexts",))
    wanted = params.suffix or session.server.suffix
    return {"wanted": wanted, "held": entry.get("namingcontexts", ())}


def judge(view: View, _: Params) -> Iterable[Finding]:
    """Judge: pure, from what was seen, with a stable code and a sentence for a tired person."""
    wanted, held = view.latest.facts["wanted"], view.latest.facts["held"]
    if wanted in held:  # type: ignore[operator]  facts are what observe made them
        yield view.finding(State.OK, "ok", f"holds {wanted}")
    else:
        yield view.finding(State.CRITICAL, "missing", f"does not hold {wanted}")


CHECK = Check("naming_context", Params, observe, judge, CheckEffect.OUT)
