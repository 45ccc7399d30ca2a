"""What can be asked of a running agent: one Struct a request, sent as one line of JSON.

The commands make them, answers.py answers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, convert, field

from ldaphealth.guard.memory import OverrideAction
from ldaphealth.settings import Settle

MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 16 << 20
MAX_SECONDS = 30 * 86400  # of an operator's word
MAX_REASON_CHARACTERS = 200


class StatusRequest(Struct, frozen=True, tag="status"):
    """All verdicts, and how the agent itself is."""


class ExplainRequest(Struct, frozen=True, tag="explain"):
    """What was seen of one server last, what it means, and which rule decided."""

    server: str


class HistoryRequest(Struct, frozen=True, tag="history"):
    """The latest changes of verdict, of one server or of all, newest first."""

    server: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    before_epoch: float | None = None


class OverrideRequest(Struct, frozen=True, tag="say"):
    """An operator's word on one server."""

    server: str
    action: OverrideAction = field(name="will")
    seconds: Annotated[float, Meta(gt=0, le=MAX_SECONDS)]
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS)] = ""


class RemoveOverrideRequest(Struct, frozen=True, tag="unsay"):
    """Take an operator's word back."""

    server: str


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


ControlRequest = (
    StatusRequest | ExplainRequest | HistoryRequest | OverrideRequest | RemoveOverrideRequest
)


class ControlResponse(Struct, frozen=True):
    """What comes back: a document, or one line that says why there is none."""

    document: Any = None
    error: str = ""


def guarded_of(explanation: Mapping[str, Any]) -> GuardedDocument:
    """Return what the guard remembers of a server, out of the answer to `ExplainRequest`."""
    return convert(explanation["guarded"], GuardedDocument)
