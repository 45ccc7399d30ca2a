"""The requests to a running agent, one Struct each. A request is one line of JSON.

The commands send them, agent/answers.py answers them.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct, field

from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import OverrideAction

MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 16 << 20
MAX_SECONDS = 30 * 86400  # of an override
MAX_REASON_CHARACTERS = 200
MarkedEpoch: TypeAlias = Annotated[EpochSeconds, Meta(ge=0, le=253402300799)]  # to year 9999


class OperatorRequest(Struct, frozen=True, kw_only=True):
    """A request that changes something. `by` is set by the agent's end of the socket.

    It is the user of the client (`peer_user.py`), whatever the client wrote.
    """

    by: str = ""


class StatusRequest(Struct, frozen=True, tag="status"):
    """All verdicts, the overrides, and the health of the agent."""


class ExplainRequest(Struct, frozen=True, tag="explain"):
    """The latest observations of one server, the findings, the memory and the verdict."""

    server: str


class HistoryRequest(Struct, frozen=True, tag="history"):
    """The latest changes of verdicts and baselines, newest first.

    `server` is a server ID or a cluster, or empty: of all.
    """

    server: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    before_epoch: float | None = None


class AvailabilityRequest(Struct, frozen=True, tag="availability"):
    """How long servers and clusters were in service between two moments.

    `server` is a server ID or a cluster, or empty: all.
    """

    server: str
    since_epoch: float
    until_epoch: float


class TimesRequest(Struct, frozen=True, kw_only=True, tag="times"):
    """How long the operations of a check took between two moments, in periods of one length.

    `server` is a server ID or a cluster, or empty: all. `operation` is empty for all of the check.
    """

    server: str
    check: str
    operation: str
    since_epoch: float
    until_epoch: float
    by_seconds: Annotated[int, Meta(ge=60)]
    quantile: Annotated[float, Meta(ge=0, le=1)]


class NumbersRequest(Struct, frozen=True, kw_only=True, tag="numbers"):
    """What a number was between two moments, in periods of one length.

    `server` is a server ID or a cluster, or empty: all. `number` is `CHECK.NAME`.
    """

    server: str
    number: str
    since_epoch: float
    until_epoch: float
    by_seconds: Annotated[int, Meta(ge=60)]


class IncidentsRequest(Struct, frozen=True, tag="incidents"):
    """The incidents that were marked.

    `target` is a server ID or a cluster, or empty: all.
    """

    target: str = ""


class AddIncidentRequest(OperatorRequest, frozen=True, kw_only=True, tag="add_incident"):
    """Mark an incident of a server or a cluster; without `to_epoch` it still lasts."""

    target: str
    from_epoch: MarkedEpoch
    to_epoch: MarkedEpoch | None = None
    note: Annotated[str, Meta(min_length=1, max_length=MAX_REASON_CHARACTERS)]


class EndIncidentRequest(OperatorRequest, frozen=True, tag="end_incident"):
    """Set the end of an incident."""

    id: int
    to_epoch: MarkedEpoch


class RemoveIncidentRequest(OperatorRequest, frozen=True, tag="remove_incident"):
    """Remove an incident that was marked in error."""

    id: int


class OverrideRequest(OperatorRequest, frozen=True, tag="say"):
    """Set an override on one server; `force`: also if it takes the last one out of service."""

    server: str
    action: OverrideAction = field(name="will")
    seconds: Annotated[float, Meta(gt=0, le=MAX_SECONDS)]
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS)] = ""
    force: bool = False


class RemoveOverrideRequest(OperatorRequest, frozen=True, tag="unsay"):
    """Remove the override on one server."""

    server: str


class BaselineRequest(OperatorRequest, frozen=True, tag="baseline"):
    """Accept at once that the servers of a cluster went back to an older state."""

    cluster: str


class ReloadRequest(OperatorRequest, frozen=True, tag="reload"):
    """Read the configuration again. `file` is the one that the client checked, without links.

    An agent that reads another file refuses it.
    """

    file: str


ControlRequest = (
    StatusRequest
    | ExplainRequest
    | HistoryRequest
    | AvailabilityRequest
    | TimesRequest
    | NumbersRequest
    | IncidentsRequest
    | AddIncidentRequest
    | EndIncidentRequest
    | RemoveIncidentRequest
    | OverrideRequest
    | RemoveOverrideRequest
    | BaselineRequest
    | ReloadRequest
)


class ControlResponse(Struct, frozen=True):
    """The response: a document, or one line with the reason why there is none."""

    document: Any = None
    error: str = ""
