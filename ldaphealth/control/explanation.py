"""What the guard remembers of one server, in the answer to `ldaphealth explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, convert

from ldaphealth.settings import Settle


class GuardedDocument(Struct, frozen=True, kw_only=True):
    """What the guard remembers of one server, as the answer to `ExplainRequest` has it.

    The two shares are of the server's weight: the one that it has, and the one that its latest
    `leaning_rounds` call for. `settle` is what a change takes, as it is configured.
    """

    in_service: bool = True
    since_seconds: float = 0.0
    good_rounds: int = 0
    bad_rounds: int = 0
    went_out_lately: int = 0
    weight_share: float = 1.0
    leaning_rounds: int = 0
    leaning_to_share: float = 1.0
    silent_seconds: float = 0.0
    settle: Settle = Settle()
    held_by: str = ""


def guarded_of(explanation: Mapping[str, Any]) -> GuardedDocument:
    """Return what the guard remembers of a server, out of the answer to `ExplainRequest`."""
    return convert(explanation["guarded"], GuardedDocument)
