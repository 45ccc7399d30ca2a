"""The nouns that every stage speaks: servers, observations, findings, verdicts.

Every other module imports this one; it imports nothing of ours and does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct, field

from ldaphealth.clocks import EpochSeconds, MonotonicSeconds

# What is wrong with settings as a whole: pairs of a key, or "" for all of them, and a message.
SettingMistakes = Iterator[tuple[str, str]]

F = TypeVar("F", bound=Struct)  # the facts of one check

OverrideAction = Literal["drain", "in", "out"]  # what an operator can have done with a server


class State(Enum):
    """An opinion in the words of the Nagios plugin guidelines; the value is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def severity(self) -> int:
        """Order for "the worst of": OK < UNKNOWN < WARNING < CRITICAL, unlike the exit statuses."""
        return _SEVERITY[self]


_SEVERITY = {State.OK: 0, State.UNKNOWN: 1, State.WARNING: 2, State.CRITICAL: 3}


def worst(states: Iterable[State]) -> State:
    """Return the most severe state; the worst of nothing is UNKNOWN, because nothing was seen."""
    return max(states, key=lambda state: state.severity, default=State.UNKNOWN)


class Role(StrEnum):
    """What a server does in replication (RFC 4533): providers take writes, consumers copy."""

    PROVIDER = "provider"
    CONSUMER = "consumer"


class BindMethod(StrEnum):
    """How a session authenticates (RFC 4513)."""

    ANONYMOUS = "anonymous"
    SIMPLE = "simple"
    EXTERNAL = "external"  # SASL EXTERNAL: the client certificate, or the peer of a Unix socket


class Secret:
    """A password that cannot be printed by accident: `reveal` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


Method = Annotated[
    BindMethod,
    Meta(description="`simple`: a DN and a password; `external`: SASL EXTERNAL; `anonymous`"),
]


class BindSettings(Struct, frozen=True):
    """The settings of a bind that the file and a session have in common."""

    method: Method = BindMethod.ANONYMOUS
    dn: Annotated[str, Meta(description="the DN to bind as, with method `simple`")] = ""


class Credentials(BindSettings, frozen=True):
    """Who the agent is to a server."""

    password: Secret | None = None


class Tls(Struct, frozen=True, kw_only=True):
    """How sessions are encrypted. Certificates and host names are verified by default."""

    start_tls: Annotated[bool, Meta(description="start TLS on `ldap://` before the bind")] = False
    ca_file: Annotated[
        str, Meta(description="authorities to trust, in PEM; empty: those of the system")
    ] = ""
    certificate_file: Annotated[str, Meta(description="our own certificate, in PEM")] = ""
    key_file: Annotated[str, Meta(description="its key; empty: it is in `certificate_file`")] = ""
    verify: Annotated[
        bool, Meta(description="`false` trusts everybody on the network; for trials only")
    ] = True

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong."""
        if self.key_file and not self.certificate_file:
            yield "key_file", "needs certificate_file"


class ServerSettings(Struct, frozen=True, kw_only=True):
    """The settings of a server that are used as the file has them."""

    uri: Annotated[str, Meta(description="`ldap://HOST[:PORT]`, `ldaps://…` or `ldapi://%2Fpath`")]
    server_name: Annotated[
        str,
        Meta(description="the name that the certificate must carry; empty: the host of `uri`"),
    ] = ""
    role: Annotated[
        Role,
        Meta(description="`provider` takes writes, `consumer` only copies and is never written to"),
    ] = Role.PROVIDER
    weight: Annotated[
        int, Meta(ge=0, le=253, description="what keepalived gets when all is well, 0 to 253")
    ] = 100


class Server(ServerSettings, frozen=True, kw_only=True):
    """One LDAP server as its cluster sees it."""

    cluster: str
    name: str
    suffix: str = ""
    credentials: Credentials = Credentials()
    tls: Tls = Tls()

    @property
    def id(self) -> str:
        """`cluster/name`: how people and files name this server."""
        return f"{self.cluster}/{self.name}"


class FailureKind(StrEnum):
    """Where a session failed; every error of every library becomes one of these."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    TLS = "tls"  # the handshake broke
    CERTIFICATE = "certificate"  # the handshake works, but we do not trust what was presented
    BIND = "bind"  # the bind was answered with another result code than success
    RESULT = "result"  # another operation was
    PROTOCOL = "protocol"  # the peer does not speak LDAP, or not within bounds
    TOO_LARGE = "too_large"  # more bytes than a round may take: it may be our search that asks them
    BUG = "bug"


class Failure(Struct, frozen=True):
    """Why there are no facts. `is_local`: the agent's own side is to blame, not the server.

    `detail` is one line for people, safe to print; `result_code` is the name in RFC 4511 or "".
    """

    kind: FailureKind
    detail: str
    result_code: str = ""
    is_local: bool = field(default=False, name="ours")


class Observation(Struct, Generic[F], frozen=True, kw_only=True):
    """What one check saw of one server; no opinion in it. Times are monotonic seconds.

    `facts` are those of the check; an observation that failed has a `failure` in place of them.
    `timings` are the seconds that each operation took.
    """

    server: str
    check: str
    started_at: MonotonicSeconds
    duration_seconds: float
    facts: F | None = None
    timings: Mapping[str, float] = {}
    failure: Failure | None = None

    @property
    def ended_at(self) -> MonotonicSeconds:
        """Monotonic seconds when the observation was complete."""
        return self.started_at + self.duration_seconds


AnyObservation = Observation[Any]  # where it does not matter of which check it is


class Metric(Struct, frozen=True):
    """A number behind a finding; its unit is the end of its name, warning and critical are ranges.

    `label` tells metrics of one name apart, such as the server ID of a replication metric.
    """

    name: str
    value: float
    warning: str = ""
    critical: str = ""
    label: str = ""


class Trust(Enum):
    """How far a finding may be trusted to remove a server (docs/verdicts.md)."""

    HARD = "hard"  # no usable LDAP service: believed even when the pool empties
    SOFT = "soft"  # an expectation of ours is not met: never empties the pool
    INFORMATIVE = "told"  # something is wrong, but removing this server would not help
    LOCAL = "ours"  # our own trouble: says nothing about the server

    @property
    def can_remove(self) -> bool:
        """Whether a finding of this trust can take its server out or lower its weight."""
        return self in (Trust.HARD, Trust.SOFT)


class Finding(Struct, frozen=True, kw_only=True):
    """An opinion on one check of one server; `code` is stable and part of the product."""

    server: str
    check: str
    state: State
    code: str
    summary: str
    metrics: tuple[Metric, ...] = ()
    trust: Trust = Trust.SOFT

    @property
    def reason(self) -> str:
        """`check.code`, such as `search.timeout`: the stable name of this opinion."""
        return f"{self.check}.{self.code}"


class CheckEffect(StrEnum):
    """What a check may do to a verdict."""

    OUT = "out"  # CRITICAL may take the server out
    WEIGHT = "weight"  # WARNING and CRITICAL lower its weight
    WATCH = "watch"  # only reported


class Reason(Struct, frozen=True):
    """Why a verdict is what it is: a stable code and a sentence.

    `removes`: this reason by itself would take the server out. It does so when it is CRITICAL, its
    check has the effect `out`, and its finding is trusted to remove a server (hard or soft). A
    server that has such a reason and is in service is kept in by the rule in `Verdict.held_by`.
    """

    code: str
    summary: str
    state: State
    effect: CheckEffect
    removes: bool


class Verdict(Struct, frozen=True, kw_only=True):
    """What every sink tells of one server.

    `state` is the worst finding, whatever its effect. `held_by` names the rule of guard/rules.py
    that overrode the plain reading, or is "". `weight` is 0 when the server is out of service.
    `draining`: out by an operator's word, so that open connections may go on.
    `lasted_seconds`: for how long it has been in or out; 0 where nothing was remembered.

    `plain`: what the newest findings alone say, as if no rule had kept, excused or settled
    anything: False when at least one reason removes the server, else True. It is True when nothing
    is known, because UNKNOWN speaks against no server. A server that was out and of which nothing
    is known now stays out: then `in_service` is False, `plain` is True, and `held_by` is "".
    """

    server: str
    state: State
    in_service: bool
    weight: int
    reasons: tuple[Reason, ...] = ()
    held_by: str = ""
    findings: tuple[Finding, ...] = ()
    draining: bool = False
    lasted_seconds: float = 0.0
    plain: bool = True


class Snapshot(Struct, frozen=True):
    """One evaluation of one or more clusters: all that a sink needs, and nothing stale."""

    taken_at: EpochSeconds  # for people; no decision rests on it
    verdicts: tuple[Verdict, ...]
