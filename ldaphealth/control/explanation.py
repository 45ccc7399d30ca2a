"""The memory of the guard of one server, in the response to `ldaphealth explain`."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.settings import Settle


class GuardedDocument(Struct, frozen=True, kw_only=True):
    """The memory of the guard of one server, as in the response to `ExplainRequest`.

    The two shares are of the server's weight: the current one, and the one that the latest
    `leaning_rounds` rounds call for. `failing_checks` took the server out, or are about to.
    `settle` has the configured conditions of a change.
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
    failing_checks: tuple[str, ...] = ()
    settle: Settle = Settle()
    held_by: str = ""
