"""Settings in the form in which they are used: clusters with their checks, and the agent.

The description, type, bounds and default of a setting stand here, in model.py or in the `Params`
of a check. config/ fills these from a file; where the file differs, config/shape.py extends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ldaphealth.check import AnyCheck
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import CheckEffect, Server, SettingMistakes

SECOND_LOOK_PART = 0.6  # of the deadline; the rest is for the looks themselves


class ConfiguredCheck(Struct, frozen=True):
    """One check as a cluster wants it: with its settings and its effect on the verdict."""

    check: AnyCheck
    params: Any
    effect: CheckEffect


class Settle(Struct, frozen=True, kw_only=True):
    """How many rounds, and how much time, it takes to believe a change (docs/verdicts.md)."""

    confirm_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="a server without LDAP service is looked at again for "
            "so long before the round counts as failed: a restart within it removes nobody",
        ),
    ] = 1.5
    fall_hard: Annotated[
        int, Meta(ge=1, le=100, description="rounds without LDAP service until a server goes out")
    ] = 1
    fall_soft: Annotated[
        int, Meta(ge=1, le=100, description="rounds with a broken expectation, such as too slow")
    ] = 3
    rise: Annotated[
        int, Meta(ge=1, le=100, description="good rounds until a server comes back")
    ] = 2
    min_out_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="it stays out at least so long; twice as long with "
            "each time that it went out within `flap_window_seconds`, at most 32 times",
        ),
    ] = 5.0
    flap_window_seconds: Annotated[
        float, Meta(ge=0, le=86400, description="for how long a removal is remembered as a flap")
    ] = 600.0
    ramp_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="after it came back its weight grows to the full "
            "one in this time; 0: at once",
        ),
    ] = 30.0
    believe_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="when no server of the cluster gives service, it is "
            "more likely us: the last verdicts are held for so long",
        ),
    ] = 15.0


class ClusterSettings(Struct, frozen=True, kw_only=True):
    """The settings of a cluster that are used as the file has them."""

    deadline_seconds: Annotated[
        float, Meta(gt=0, le=300, description="no server gets more time for everything together")
    ] = 5.0
    interval_seconds: Annotated[
        float,
        Meta(ge=0.2, le=3600, description="the agent looks at every server once in this time"),
    ] = 5.0
    settle: Annotated[
        Settle, Meta(description="what it takes to believe a change; the agent's")
    ] = Settle()


class Cluster(ClusterSettings, frozen=True, kw_only=True):
    """Servers that hold the same data, judged together.

    `checks` are in the order of a session: connect, bind, the operations, unbind.
    `min_in_service` is the floor under soft failures. Times are seconds. `interval_seconds` and
    `settle` are the agent's; the one-shot command looks once.
    """

    name: str
    servers: tuple[Server, ...]
    checks: tuple[ConfiguredCheck, ...]
    min_in_service: int
    second_look_seconds: float = 1.0

    @property
    def round_checks(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of a session, in its order."""
        return tuple(planned for planned in self.checks if planned.check.survey is None)

    @property
    def surveys(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks that the agent does beside its rounds."""
        return tuple(planned for planned in self.checks if planned.check.survey is not None)

    def within(self, deadline_seconds: float) -> Cluster:
        """Return the same with another deadline, and a second look that fits into it."""
        pause = min(self.second_look_seconds, deadline_seconds * SECOND_LOOK_PART)
        return replace(self, deadline_seconds=deadline_seconds, second_look_seconds=pause)


class HttpSettings(Struct, frozen=True, kw_only=True):
    """Who may ask the agent by HTTP, and where (docs/http.md). It only tells, it takes no words."""

    # The files are read when the server starts: a one-shot check must not fail for them.
    listen: Annotated[
        Endpoint,
        Meta(
            description="`HOST:PORT`, everywhere: `[::]:PORT`; not loopback: give it TLS and "
            "credentials"
        ),
    ] = Endpoint("tcp", "127.0.0.1", 8389)
    certificate_file: Annotated[
        str,
        Meta(
            description="the certificate and its chain, in PEM: turns TLS on; read again on a "
            "reload"
        ),
    ] = ""
    key_file: Annotated[str, Meta(description="its key; empty: it is in `certificate_file`")] = ""
    user: Annotated[str, Meta(description="who may ask, with the password in `password_file`")] = ""
    password_file: Annotated[
        str,
        Meta(
            description="a file that only its owner can read (chmod 0600); one line end is dropped"
        ),
    ] = ""
    token_file: Annotated[
        str,
        Meta(description="the same for a bearer token, in place of a user or beside one"),
    ] = ""
    open_health: Annotated[
        bool,
        Meta(
            description="`/health` and `/ready` ask for no credentials: some balancers cannot send "
            "any"
        ),
    ] = False

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        if bool(self.user) != bool(self.password_file):
            yield "", "user and password_file go together"
        if ":" in self.user:
            yield "user", "must hold no colon (RFC 7617)"
        if self.key_file and not self.certificate_file:
            yield "key_file", "needs certificate_file"

    @property
    def is_exposed(self) -> bool:
        """Tell whether others than this machine reach it, in clear or without credentials."""
        asks = bool(self.password_file or self.token_file)
        return not self.listen.is_loopback and not (self.certificate_file and asks)


class HaproxySettings(Struct, frozen=True, kw_only=True):
    """Where HAProxy's agent-check asks (docs/http.md)."""

    listen: Annotated[Endpoint, Meta(description="`HOST:PORT`; whoever reaches it may ask")] = (
        Endpoint("tcp", "127.0.0.1", 8390)
    )


class AgentSettings(Struct, frozen=True, kw_only=True):
    """How `ldaphealth agent` runs on this machine."""

    runtime_directory: Annotated[
        Path, Meta(description="where the verdicts and the socket are, empty after a boot")
    ] = field(default_factory=lambda: Path("/run/ldaphealth"))
    state_directory: Annotated[
        Path,
        Meta(description="what must survive a restart: overrides, the last verdicts, the history"),
    ] = field(default_factory=lambda: Path("/var/lib/ldaphealth"))
    socket_group: Annotated[
        str,
        Meta(description="the group that may ask and command the agent; empty: the agent's own"),
    ] = ""
    threads: Annotated[
        int,
        Meta(
            ge=2,
            le=256,
            description="servers that are looked at side by side, at most; a quarter of them is "
            "for servers that hung, at least one",
        ),
    ] = 64
    track_files: Annotated[
        bool,
        Meta(description="write files for keepalived's FILE_CHECK, too (keepalived/README.md)"),
    ] = False
    history_days: Annotated[
        int, Meta(ge=1, le=3650, description="for how long the history is kept on disk")
    ] = 60
    history_megabytes: Annotated[
        int, Meta(ge=4, le=65536, description="the largest size of the history on disk")
    ] = 256
    log_format: Annotated[
        Literal["logfmt", "json"], Meta(description="the form of the log lines")
    ] = "logfmt"
    http: Annotated[
        HttpSettings | None, Meta(description="the HTTP server; left out: none, `{}`: on loopback")
    ] = None
    haproxy: Annotated[
        HaproxySettings | None,
        Meta(description="answers for HAProxy's agent-check; left out: none"),
    ] = None

    @property
    def listens(self) -> dict[str, str]:
        """Return where it is asked by TCP."""
        found = {}
        if self.http:
            found["http"] = f"http{'s' if self.http.certificate_file else ''}://{self.http.listen}"
        if self.haproxy:
            found["haproxy"] = str(self.haproxy.listen)
        return found

    @property
    def socket_path(self) -> Path:
        """Return where the agent answers questions."""
        return self.runtime_directory / "agent.sock"

    @property
    def verdict_directory(self) -> Path:
        """Return where keepalived's script finds the verdicts."""
        return self.runtime_directory / "verdicts"

    @property
    def track_directory(self) -> Path:
        """Return where keepalived's FILE_CHECK finds its numbers."""
        return self.runtime_directory / "track"

    @property
    def balancer_path(self) -> Path:
        """Return where keepalived learns whether this machine is fit to balance."""
        return self.runtime_directory / "balancer"


class Settings(Struct, frozen=True):
    """The clusters by name, and the agent."""

    clusters: Mapping[str, Cluster]
    agent: AgentSettings
