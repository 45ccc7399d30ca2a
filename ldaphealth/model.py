"""The types that all stages share: servers, observations, findings, verdicts.

All stages import this module. Of the package it imports only clocks.py. What is kept in great
numbers is in no cycle of references, so the garbage collector need not visit it (`gc=False`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from functools import cached_property
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct, field

from ldaphealth.clocks import EpochSeconds, MonotonicSeconds

# What is wrong with settings as a whole: pairs of a key, or "" for all of them, and a message.
SettingMistakes = Iterator[tuple[str, str]]

LONGEST_POLL_SECONDS = 604_800  # between two polls: a week

F = TypeVar("F", bound=Struct)  # the facts of one check

OverrideAction = Literal["drain", "in", "out"]  # what an operator can do with a server


class State(Enum):
    """A state of the Nagios plugin guidelines; the value is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def severity(self) -> int:
        """Return the order of severity: OK < UNKNOWN < WARNING < CRITICAL, not the exit status."""
        return _SEVERITY[self]


_SEVERITY = {State.OK: 0, State.UNKNOWN: 1, State.WARNING: 2, State.CRITICAL: 3}


def worst(states: Iterable[State]) -> State:
    """Return the most severe state, UNKNOWN if there is none."""
    return max(states, key=lambda state: state.severity, default=State.UNKNOWN)


class Role(StrEnum):
    """The role of a server in replication (RFC 4533): providers take writes, consumers copy.

    A balancer is an address behind which each session may reach another server.
    """

    PROVIDER = "provider"
    CONSUMER = "consumer"
    BALANCER = "balancer"


class BindMethod(StrEnum):
    """How a session authenticates (RFC 4513)."""

    ANONYMOUS = "anonymous"
    SIMPLE = "simple"
    EXTERNAL = "external"  # SASL EXTERNAL: the client certificate, or the peer of a Unix socket


class Secret:
    """A password that is not printed by accident: only `reveal` returns its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, to be sent to a server."""
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
    """The settings of a bind that the configuration file and a session share."""

    method: Method = BindMethod.ANONYMOUS
    dn: Annotated[str, Meta(description="the DN to bind as, with method `simple`")] = ""


class PasswordSource(BindSettings, frozen=True, kw_only=True):
    """Where the password of a simple bind comes from: a file, or an environment variable."""

    password_file: Annotated[
        str,
        Meta(
            description="a file that only its owner can read (chmod 0600), or its group too "
            "(0640); one line end is removed, the rest is sent unchanged, as by `ldapsearch -y`"
        ),
    ] = ""
    password_env: Annotated[
        str, Meta(description="an environment variable with the password, instead of a file")
    ] = ""
    retry_after_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            description="the agent binds again this long after a server refused the password, then "
            "after twice as long, up to 16 times, so that it locks no account (docs/verdicts.md)",
        ),
    ] = 60.0


class Credentials(PasswordSource, frozen=True):
    """The identity with which the agent binds to a server."""

    password: Secret | None = None


class Tls(Struct, frozen=True, kw_only=True):
    """The settings of TLS. Certificates and host names are verified by default."""

    start_tls: Annotated[
        bool | None,
        Meta(
            description="start TLS on `ldap://` before the bind; `false` also states that a "
            "password in the clear is wanted, and there is no warning of it"
        ),
    ] = None
    ca_file: Annotated[
        str, Meta(description="trusted authorities, in PEM; empty: those of the system")
    ] = ""
    certificate_file: Annotated[str, Meta(description="the client certificate, in PEM")] = ""
    key_file: Annotated[str, Meta(description="its key; empty: it is in `certificate_file`")] = ""
    verify: Annotated[
        bool, Meta(description="`false` accepts any certificate; for trials only")
    ] = True

    min_version: Annotated[
        Literal["", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        Meta(
            description="the lowest version; empty: TLSv1.2, or what the system's OpenSSL demands; "
            "versions below TLSv1.2 also need `ciphers: DEFAULT:@SECLEVEL=0`"
        ),
    ] = ""
    ciphers: Annotated[
        str,
        Meta(
            description="the ciphers up to TLSv1.2, as in openssl-ciphers(1); empty: those of "
            "Python; `DEFAULT` also has those with an RSA key exchange"
        ),
    ] = ""
    resume_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="for how long after a whole handshake later connections to the server "
            "resume its TLS session (TLS 1.3), and so do not verify its certificate anew; 0: each "
            "connection does the whole handshake",
        ),
    ] = 0.0

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key and a message."""
        if self.key_file and not self.certificate_file:
            yield "key_file", "needs certificate_file"


class ServerSettings(Struct, frozen=True, kw_only=True):
    """The settings of a server that are used as they are in the configuration file."""

    uri: Annotated[
        str,
        Meta(
            description="`ldap://HOST[:PORT]`, `ldaps://…` or `ldapi://%2Fpath`; `pldap://…` and "
            "`pldaps://…` are with `proxy_protocol`"
        ),
    ]
    proxy_protocol: Annotated[
        bool,
        Meta(
            description="the port expects the PROXY protocol: each connection begins with its "
            "command LOCAL, before TLS (version 2; `pldap://` listeners of slapd, `accept-proxy` "
            "of HAProxy, `nsslapd-haproxy-trusted-ip` of 389 Directory Server)"
        ),
    ] = False
    server_name: Annotated[
        str,
        Meta(description="the name that the certificate must contain; empty: the host of `uri`"),
    ] = ""
    role: Annotated[
        Role,
        Meta(
            description="`provider` takes writes; `consumer` copies and is never written to; "
            "`balancer` is an address of several servers, such as a virtual IP address or a DNS "
            "name with several addresses: it is not compared with other servers, and never "
            "written to"
        ),
    ] = Role.PROVIDER
    weight: Annotated[
        int, Meta(ge=0, le=253, description="the weight when all is well, 0 to 253")
    ] = 100
    poll_interval_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=LONGEST_POLL_SECONDS,
            description="how long the server waits between two polls of its provider "
            "(`refreshOnly` in slapd.conf(5)), if the account cannot read that in cn=Monitor: its "
            "lag counts beyond this time",
        ),
    ] = 0.0
    bases: Annotated[
        tuple[str, ...],
        Meta(
            description="the naming contexts that the server holds, if it does not hold all that "
            "the checks name"
        ),
    ] = ()


class Server(ServerSettings, frozen=True, kw_only=True, dict=True):  # with a cached property
    """One LDAP server of a cluster.

    `pipeline`: requests that do not depend on each other are sent together (rounds/flights.py).
    """

    cluster: str
    name: str
    suffix: str = ""
    credentials: Credentials = Credentials()
    tls: Tls = Tls()
    pipeline: bool = True

    @cached_property
    def id(self) -> str:
        """Return `cluster/name`, the ID of this server in files and messages."""
        return f"{self.cluster}/{self.name}"

    def holds(self, dn: str) -> bool:
        """Return whether the server holds this entry: all that its settings do not rule out.

        An empty DN stands for the suffix of the cluster.
        """
        return not self.bases or any(is_in_context(dn or self.suffix, each) for each in self.bases)


def is_in_context(dn: str, base: str) -> bool:
    """Return whether an entry is that of a naming context, or below it."""
    return not base or f",{comparable_dn(dn)}".endswith(f",{comparable_dn(base)}")


def comparable_dn(dn: str) -> str:
    """Return a DN without the differences of case and spaces between RDNs (RFC 4514)."""
    return ",".join(rdn.strip() for rdn in dn.lower().split(","))


def consumers(servers: Sequence[Server]) -> frozenset[str]:
    """Return the IDs of the consumers; none if all are consumers, whose providers are elsewhere."""
    found = frozenset(each.id for each in servers if each.role is Role.CONSUMER)
    return found if len(found) < len(servers) else frozenset()


class FailureKind(StrEnum):
    """The kind of a failure; every error of a library is mapped to one of these."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    TLS = "tls"  # the handshake failed
    TLS_REFUSED = "tls_refused"  # both speak TLS, and one refuses it with the other
    CERTIFICATE = "certificate"  # the certificate is not trusted
    BIND = "bind"  # the result code of the bind is not success
    RESULT = "result"  # the result code of another operation is not success
    PROTOCOL = "protocol"  # the peer sends what is not LDAP, or is not within bounds
    TOO_LARGE = "too_large"  # more bytes than a session may receive; the request may be the cause
    # A session with credentials of a check fails, while the session of the server works.
    OTHER_SESSION = "other_session"
    BUG = "bug"


class Failure(Struct, frozen=True):
    """Why there are no facts. `is_local`: the cause is on this host, not on the server.

    `detail` is one line of text, safe to print. `result_code` is the name in RFC 4511, or "".
    `answered`: the server had sent at least one LDAP response in the same session or round, so
    after a timeout it is slow and not gone.
    """

    kind: FailureKind
    detail: str
    result_code: str = ""
    is_local: bool = field(default=False, name="ours")
    answered: bool = False


NO_TIMES: Mapping[str, float] = {}  # one for all, which is never changed


class Observation(Struct, Generic[F], frozen=True, kw_only=True, gc=False):
    """What one check saw of one server, without an opinion. Times are monotonic seconds.

    An observation has either the `facts` of the check or a `failure`. `timings` are the seconds
    that each operation took.
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
        """Return the time when the observation was complete, in monotonic seconds."""
        return self.started_at + self.duration_seconds


AnyObservation = Observation[Any]  # an observation of any check


class Metric(Struct, frozen=True, gc=False):
    """A number of a finding; its name ends with its unit. `warning` and `critical` are ranges.

    `label` distinguishes metrics of the same name, such as by the server ID in replication. A count
    stays an integer when it is read from a file.
    """

    name: str
    value: int | float
    warning: str = ""
    critical: str = ""
    label: str = ""


class Trust(Enum):
    """How far a finding may remove a server (docs/verdicts.md)."""

    HARD = "hard"  # no usable LDAP service: may empty the pool
    SOFT = "soft"  # too slow, or its data are too old: never empties the pool
    # A credential, an entry, a value or a right is not as configured: soft, and excused while most
    # servers contradict the expectation.
    EXPECTATION = "expectation"
    INFORMATIVE = "told"  # something is wrong, but removing this server would not help
    LOCAL = "ours"  # a local failure: states nothing about the server

    @property
    def can_remove(self) -> bool:
        """Return whether such a finding can take its server out or lower its weight."""
        return self in (Trust.HARD, Trust.SOFT, Trust.EXPECTATION)


class Basis(Enum):
    """What a finding rests on, and so how many rounds with it change a verdict."""

    ROUND = "round"  # the newest round: several in a row must agree (`settings.Settle`)
    WINDOW = "window"  # many probes, which a check has judged together: one round is enough
    DOUBT = "doubt"  # too few probes to tell: the verdict stays, and the next probe follows soon
    COMPARISON = "comparison"  # the same, and some other servers are probed soon as well

    @property
    def is_undecided(self) -> bool:
        """Return whether the finding leaves the verdict as it is."""
        return self in (Basis.DOUBT, Basis.COMPARISON)


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """The opinion on one check of one server; `code` is stable between releases."""

    server: str
    check: str
    state: State
    code: str
    summary: str
    metrics: tuple[Metric, ...] = ()
    trust: Trust = Trust.SOFT
    basis: Basis = Basis.ROUND

    @property
    def reason(self) -> str:
        """Return `check.code`, such as `search.timeout`: the stable code of the reason."""
        return f"{self.check}.{self.code}"


class CheckEffect(StrEnum):
    """What a check may do to a verdict."""

    OUT = "out"  # CRITICAL may take the server out
    WEIGHT = "weight"  # WARNING and CRITICAL lower its weight
    WATCH = "watch"  # only reported


class Reason(Struct, frozen=True):
    """Why a verdict is what it is: a stable code and a sentence.

    `removes`: this reason by itself would take the server out. The reason is then CRITICAL, its
    check has the effect `out`, and the trust of its finding is hard or soft. A server with such a
    reason that is in service is kept in by the rule in `Verdict.held_by`.
    """

    code: str
    summary: str
    state: State
    effect: CheckEffect
    removes: bool


class OverrideNote(Struct, frozen=True, kw_only=True):
    """What people need to know of an override: what was ordered, by whom, why, and until when.

    `by` is the name of a user, or "" if it is not known. `until_epoch` is the end in seconds since
    the epoch, as it was when the override was set; for display only.
    """

    action: OverrideAction
    by: str = ""
    reason: str = ""
    until_epoch: EpochSeconds | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The verdict on one server, as every sink reports it.

    `state` is that of the worst finding, whatever its effect. `held_by` names the rule of
    guard/rules.py that replaced the plain reading, or is "". `weight` is 0 when the server is out
    of service. `draining`: an operator took the server out; open connections may continue.
    `lasted_seconds`: for how long it has been in or out of service; 0 if that is not known.

    `override` is the override in force, or None. `remedies` is what to do about the reasons, by
    their codes.

    `plain` is the result of the newest findings alone, before any rule: False if a reason removes
    the server, else True. It is True when nothing is known, because UNKNOWN removes no server. A
    server that was out and of which nothing is known now stays out: then `in_service` is False,
    `plain` is True, and `held_by` is "".
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
    override: OverrideNote | None = field(name="override_in_force", default=None)
    remedies: Mapping[str, str] = {}


class Snapshot(Struct, frozen=True):
    """The verdicts of one evaluation of one or more clusters; a sink needs nothing else."""

    taken_at: EpochSeconds  # for display; no decision depends on it
    verdicts: tuple[Verdict, ...]
