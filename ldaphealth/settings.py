"""The settings as the program uses them: clusters with their checks, and the agent.

The description, type, bounds and default of a setting are here, in model.py or in the `Params` of a
check. config/ reads them from a file. config/shape.py has the keys where the file differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ldaphealth.check import AnyCheck
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import CheckEffect, Credentials, Role, Server, SettingMistakes
from ldaphealth.shard import WHOLE, Shard

USUAL_CONFIG_FILE = Path("/etc/ldaphealth/ldaphealth.yaml")
HIGHEST_PORT = 65535
SECOND_LOOK_PART = 0.6  # of the deadline; the rest is for the probes


class CheckUse(Struct, frozen=True, kw_only=True):
    """How a cluster uses a check: its name, and when, where and with which account it runs.

    `alias` is its name, "" if that is the name of its kind. It runs in every n-th round of a server
    (`every`), on the `servers` by their names (none: on all), and with `credentials` on a session
    of its own (None: on the session of the server).
    """

    alias: str = ""
    every: int = 1
    servers: frozenset[str] = frozenset()
    credentials: Credentials | None = None


class ConfiguredCheck(CheckUse, frozen=True, dict=True):  # with cached properties
    """One check of a cluster, with its settings and its effect on the verdict.

    `own_params` are the settings on servers that have their own, by server ID.
    """

    check: AnyCheck
    params: Any
    effect: CheckEffect
    own_params: Mapping[str, Any] = {}

    @cached_property
    def name(self) -> str:
        """Return its name in the cluster: in observations, findings, reason codes and metrics."""
        return self.alias or self.check.name

    @cached_property
    def is_occasional(self) -> bool:
        """Return whether some sessions with the servers of the cluster do not have it."""
        return self.every > 1 or bool(self.servers) or self.check.observe_as is not None

    def params_of(self, server: Server) -> Any:
        """Return the settings of the check on a server."""
        return self.own_params.get(server.id, self.params) if self.own_params else self.params

    def runs_on(self, server: Server) -> bool:
        """Return whether it is run on a server."""
        if self.servers and server.name not in self.servers:
            return False
        return server.role is not Role.BALANCER or not self.check.of_one_server

    def credentials_on(self, server: Server) -> Credentials | None:
        """Return the credentials of its own session with a server; None: the server's session.

        A check that logs in begins on the session of the server.
        """
        if (
            self.check.observe_as is not None
            or self.credentials is None
            or self.credentials == server.credentials
        ):
            return None
        return self.credentials


class WhenAllFail(StrEnum):
    """What to do when no server of a cluster gives LDAP service."""

    HOLD = "hold"
    OUT = "out"


class Settle(Struct, frozen=True, kw_only=True):
    """How many rounds, and how much time, it takes to accept a change (docs/verdicts.md)."""

    confirm_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="a server without LDAP service is probed again for this long "
            "before the round counts as failed; a restart in this time removes no server",
        ),
    ] = 1.5
    fall_hard: Annotated[
        int, Meta(ge=1, le=100, description="rounds without LDAP service until a server goes out")
    ] = 1
    fall_soft: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="rounds with a soft failure, such as a slow response, until it goes out",
        ),
    ] = 3
    rise: Annotated[
        int, Meta(ge=1, le=100, description="good rounds until a server comes back")
    ] = 2
    min_out_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="a server stays out at least this long; doubled for each removal within "
            "`flap_window_seconds`, up to 32 times as long",
        ),
    ] = 5.0
    flap_window_seconds: Annotated[
        float, Meta(ge=0, le=86400, description="how long a removal counts as a flap")
    ] = 600.0
    ramp_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="after a server comes back, its weight grows to the full weight in this "
            "time; 0: at once",
        ),
    ] = 30.0
    believe_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="a server without LDAP service stays in for this long if no other server "
            "answers meanwhile, because a local failure is more likely",
        ),
    ] = 15.0
    when_all_fail: Annotated[
        WhenAllFail,
        Meta(
            description="if no server of the cluster gives LDAP service: `hold` keeps the last "
            "verdicts until one answers; `out` takes the servers out after `believe_seconds`, for "
            "a site with a server that says sorry"
        ),
    ] = WhenAllFail.HOLD
    doubt_interval_seconds: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="a server whose rounds contradict its verdict is probed at this interval, "
            "if it is the shorter one, until there are enough of them to change the verdict",
        ),
    ] = 0.5


class ClusterSettings(Struct, frozen=True, kw_only=True):
    """The settings of a cluster that are the same in the file and in use."""

    deadline_seconds: Annotated[
        float, Meta(gt=0, le=300, description="time limit for each server, all checks together")
    ] = 5.0
    interval_seconds: Annotated[
        float,
        Meta(ge=0.2, le=3600, description="the agent probes each server once in this time"),
    ] = 5.0
    settle: Annotated[
        Settle, Meta(description="what it takes to accept a change; for the agent only")
    ] = Settle()


class Cluster(ClusterSettings, frozen=True, kw_only=True, dict=True):  # with cached properties
    """Servers that hold the same data, judged together.

    `checks` are in the order of a session: connect, bind, the operations, unbind.
    `min_in_service` is the floor for soft failures. Times are seconds. Only the agent uses
    `interval_seconds`, `settle` and `shadow`: the same servers and probes, judged by other settings
    whose verdicts decide nothing. `config_file` is the path of the configuration for commands, ""
    if it is the usual one, or none.
    """

    name: str
    servers: tuple[Server, ...]
    checks: tuple[ConfiguredCheck, ...]
    min_in_service: int
    second_look_seconds: float = 1.0
    shadow: Cluster | None = None
    config_file: str = ""

    @cached_property
    def round_checks(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of a session, in order."""
        return tuple(planned for planned in self.checks if planned.check.is_in_rounds)

    @cached_property
    def data_servers(self) -> tuple[Server, ...]:
        """Return the servers that hold data themselves: all but the balancers."""
        return tuple(each for each in self.servers if each.role is not Role.BALANCER)

    def servers_of(self, configured: ConfiguredCheck) -> tuple[Server, ...]:
        """Return the servers on which a check is run, and that it compares."""
        run_on = self.data_servers if configured.check.of_one_server else self.servers
        if not configured.servers:
            return run_on
        return tuple(each for each in run_on if each.name in configured.servers)

    def round_checks_of(self, server: Server) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of a session with a server, in order: the same object each time."""
        key = server.name, server.role
        if key not in self._round_checks:
            self._round_checks[key] = tuple(
                each for each in self.round_checks if each.runs_on(server)
            )
        return self._round_checks[key]

    @cached_property
    def _round_checks(self) -> dict[tuple[str, Role], tuple[ConfiguredCheck, ...]]:
        return {}

    @property
    def surveys(self) -> tuple[ConfiguredCheck, ...]:
        """Return the checks that the agent runs outside its rounds."""
        return tuple(planned for planned in self.checks if planned.check.survey is not None)

    def within(self, deadline_seconds: float) -> Cluster:
        """Return the cluster with another deadline, and a second look that fits into it."""
        pause = min(self.second_look_seconds, deadline_seconds * SECOND_LOOK_PART)
        return replace(self, deadline_seconds=deadline_seconds, second_look_seconds=pause)


class HttpSettings(Struct, frozen=True, kw_only=True):
    """The HTTP server of the agent, which is read-only (docs/http.md)."""

    # The files are read when the server starts: a one-shot check must not fail because of them.
    listen: Annotated[
        Endpoint,
        Meta(
            description="`HOST:PORT`; `[::]:PORT` for all addresses; other than loopback: set "
            "TLS and credentials"
        ),
    ] = Endpoint("tcp", "127.0.0.1", 8389)
    certificate_file: Annotated[
        str,
        Meta(
            description="the certificate and its chain, in PEM: enables TLS; read again on a reload"
        ),
    ] = ""
    key_file: Annotated[str, Meta(description="its private key; empty: in `certificate_file`")] = ""
    client_ca_file: Annotated[
        str,
        Meta(
            description="CA certificates, in PEM: each client must present a certificate of one of "
            "them, and credentials too if there are any"
        ),
    ] = ""
    web_config_file: Annotated[
        str,
        Meta(
            description="a file in the format of `--web.config.file` of Prometheus' exporters, "
            "instead of the keys for certificates and passwords (docs/http.md)"
        ),
    ] = ""
    user: Annotated[
        str, Meta(description="the user name of the clients, with the password in `password_file`")
    ] = ""
    password_file: Annotated[
        str,
        Meta(
            description="a file that only its owner can read (chmod 0600), or its group too "
            "(0640); one line end is removed"
        ),
    ] = ""
    token_file: Annotated[
        str,
        Meta(description="such a file with a bearer token, instead of a user or in addition"),
    ] = ""
    open_health: Annotated[
        bool,
        Meta(
            description="`/health` and `/ready` need no credentials: some balancers cannot send any"
        ),
    ] = False

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        if bool(self.user) != bool(self.password_file):
            yield "", "user and password_file must be given together"
        if ":" in self.user:
            yield "user", "must not contain a colon (RFC 7617)"
        for key in ("key_file", "client_ca_file"):
            if getattr(self, key) and not self.certificate_file:
                yield key, "needs certificate_file"
        if self.web_config_file:
            for key in ("certificate_file", "user"):
                if getattr(self, key):
                    yield key, "must not be given together with web_config_file"


class HaproxySettings(Struct, frozen=True, kw_only=True):
    """The server for HAProxy's agent-check (docs/http.md)."""

    listen: Annotated[Endpoint, Meta(description="`HOST:PORT`, without access control")] = Endpoint(
        "tcp", "127.0.0.1", 8390
    )


Days: TypeAlias = Annotated[int, Meta(ge=1, le=3650)]


class HistorySettings(Struct, frozen=True, kw_only=True):
    """How long the history is kept, in days on which the agent ran (docs/history.md)."""

    minute_points_days: Annotated[
        Days, Meta(description="for how long durations and numbers are kept by the minute")
    ] = 2
    hour_points_days: Annotated[
        Days, Meta(description="for how long durations and numbers are kept by the hour")
    ] = 50
    day_points_days: Annotated[
        Days, Meta(description="for how long durations and numbers are kept by the day")
    ] = 400
    changes_days: Annotated[
        Days, Meta(description="for how long changes of verdicts and new baselines are kept")
    ] = 400
    megabytes: Annotated[
        int,
        Meta(
            ge=4,
            le=65536,
            description="the largest size of the history on disk, in MiB: when it is full, the "
            "oldest minutes go first, then hours, then days; changes have half of it",
        ),
    ] = 256

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""
        for shorter, longer in (
            ("minute_points_days", "hour_points_days"),
            ("hour_points_days", "day_points_days"),
        ):
            if getattr(self, shorter) > getattr(self, longer):
                yield shorter, f"must not be more than {longer}"


class JournalSettings(Struct, frozen=True, kw_only=True):
    """What the agent keeps of all that it saw, for `ldaphealth replay` (docs/replay.md)."""

    days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="for how many days on which the agent ran it is kept; 0: nothing is",
        ),
    ] = 14
    megabytes: Annotated[
        int,
        Meta(
            ge=1,
            le=65536,
            description="its largest size on disk; then the oldest part of it goes",
        ),
    ] = 256


class AgentSettings(Struct, frozen=True, kw_only=True):
    """How `ldaphealth agent` runs on this host."""

    refused_keys: ClassVar[Mapping[str, str]] = {
        "history_days": "is now `history: {changes_days: N}`, beside the days of points by level "
        "(docs/history.md)",
        "history_megabytes": "is now `history: {megabytes: N}`",
        "threads": "is not needed any more: remove it; one thread probes all servers at once",
    }

    runtime_directory: Annotated[
        Path, Meta(description="directory of the verdicts and the socket; empty after a boot")
    ] = field(default_factory=lambda: Path("/run/ldaphealth"))
    state_directory: Annotated[
        Path,
        Meta(description="data that survive a restart: overrides, the last verdicts, the history"),
    ] = field(default_factory=lambda: Path("/var/lib/ldaphealth"))
    socket_group: Annotated[
        str,
        Meta(description="the group that may query and control the agent; empty: the agent's own"),
    ] = ""
    track_files: Annotated[
        bool,
        Meta(description="also write files for keepalived's FILE_CHECK (keepalived/README.md)"),
    ] = False
    history: Annotated[
        HistorySettings, Meta(description="what is kept on disk of the past, and for how long")
    ] = HistorySettings()
    journal: Annotated[
        JournalSettings,
        Meta(description="all that the agent saw, kept on disk to compute verdicts again"),
    ] = JournalSettings()
    log_format: Annotated[
        Literal["logfmt", "json"], Meta(description="the format of the log lines")
    ] = "logfmt"
    http: Annotated[
        HttpSettings | None, Meta(description="the HTTP server; absent: none, `{}`: on loopback")
    ] = None
    haproxy: Annotated[
        HaproxySettings | None,
        Meta(description="the server for HAProxy's agent-check; absent: none"),
    ] = None

    @property
    def socket_path(self) -> Path:
        """Return the path of the socket of an agent of all clusters."""
        return self.runtime_directory / "agent.sock"

    @property
    def verdict_directory(self) -> Path:
        """Return the directory of the verdict files, which keepalived's script reads."""
        return self.runtime_directory / "verdicts"

    @property
    def track_directory(self) -> Path:
        """Return the directory of the files for keepalived's FILE_CHECK."""
        return self.runtime_directory / "track"

    @property
    def balancer_path(self) -> Path:
        """Return the file that tells keepalived whether this host can act as a balancer."""
        return self.runtime_directory / "balancer"


class Settings(Struct, frozen=True):
    """The clusters by name, the agent, and the shard whose clusters these are."""

    clusters: Mapping[str, Cluster]
    agent: AgentSettings
    shard: Shard = WHOLE

    @property
    def own_runtime_directory(self) -> Path:
        """Return the directory of the socket and the lock."""
        return self.shard.below(self.agent.runtime_directory)

    @property
    def own_state_directory(self) -> Path:
        """Return the directory of the state, the history and the journal."""
        return self.shard.below(self.agent.state_directory)

    @property
    def own_socket_path(self) -> Path:
        """Return the path of the socket."""
        return self.own_runtime_directory / self.agent.socket_path.name

    def of(self, shard: Shard, *, own_host: bool = False) -> Settings:
        """Return the settings of a shard: its clusters, and its ports, each `index - 1` higher.

        On a host of its own the ports are as they are. ValueError: two shards would have the same
        port, or one none.
        """
        if shard.is_whole:
            return self
        agent = self.agent if own_host else self._with_ports_of(shard)
        clusters = {name: each for name, each in self.clusters.items() if shard.holds(name)}
        return Settings(clusters, agent, shard)

    def _with_ports_of(self, shard: Shard) -> AgentSettings:
        http, haproxy = self.agent.http, self.agent.haproxy
        _refuse_ports(shard, [each.listen.port for each in (http, haproxy) if each is not None])
        return replace(
            self.agent,
            http=http and replace(http, listen=_listen_of(shard, http.listen)),
            haproxy=haproxy and replace(haproxy, listen=_listen_of(shard, haproxy.listen)),
        )


def _listen_of(shard: Shard, listen: Endpoint) -> Endpoint:
    return replace(listen, port=listen.port + shard.index - 1)


def _refuse_ports(shard: Shard, ports: Sequence[int]) -> None:
    """Raise ValueError if the ports of the file are too near to each other, or to the last one."""
    count = shard.count
    if ports and max(ports) + count - 1 > HIGHEST_PORT:
        raise ValueError(
            f"agent: {count} shards listen on as many ports, from that of the file on, and after "
            f"port {max(ports)} there are only {HIGHEST_PORT - max(ports)}"
        )
    if len(ports) > 1 and abs(ports[0] - ports[1]) < count:
        first, second = (f"{each} to {each + count - 1}" for each in ports)
        raise ValueError(
            f"agent: {count} shards would use the ports {first} for http and {second} for haproxy: "
            f"set `listen` of one of them so that the ports are at least {count} apart"
        )
