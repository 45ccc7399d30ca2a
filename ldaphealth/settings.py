"""All that a configuration file says, ready to be used; config/ makes it from the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ldaphealth.check import Cluster


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
