"""What can be asked of a running agent: one Struct a request, sent as one line of JSON.

The commands make them, answers.py answers them.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from ldaphealth.model import OverrideAction

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


ControlRequest = (
    StatusRequest | ExplainRequest | HistoryRequest | OverrideRequest | RemoveOverrideRequest
)


class ControlResponse(Struct, frozen=True):
    """What comes back: a document, or one line that says why there is none."""

    document: Any = None
    error: str = ""
