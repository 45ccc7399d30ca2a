"""All that a configuration file says, ready to be used; config/ makes it from the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ldaphealth.check import Cluster
from ldaphealth.ldap.endpoint import Endpoint


class HttpSettings(Struct, frozen=True):
    """The HTTP server of the agent. Without credentials whoever reaches it may read.

    The files are read when it starts: a one-shot check, whoever runs it, must not fail for them.
    """

    listen: Endpoint
    certificate_file: str = ""
    key_file: str = ""
    user: str = ""
    password_file: str = ""
    token_file: str = ""
    open_health: bool = False

    @property
    def is_exposed(self) -> bool:
        """Tell whether others than this machine reach it, in clear or without credentials."""
        asks = bool(self.password_file or self.token_file)
        return not self.listen.is_loopback and not (self.certificate_file and asks)


class AgentSettings(Struct, frozen=True):
    """How `ldaphealth agent` runs on this machine; docs/configuration.md explains each."""

    runtime_directory: Path
    state_directory: Path
    socket_group: str = ""
    threads: int = 64
    track_files: bool = False
    history_days: int = 60
    history_megabytes: int = 256
    log_format: Literal["logfmt", "json"] = "logfmt"
    http: HttpSettings | None = None
    haproxy: Endpoint | None = None

    @property
    def listens(self) -> dict[str, str]:
        """Return where it is asked by TCP."""
        found = {}
        if self.http:
            found["http"] = f"http{'s' if self.http.certificate_file else ''}://{self.http.listen}"
        if self.haproxy:
            found["haproxy"] = str(self.haproxy)
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
