"""Options that several commands have, and the completion of clusters and servers.

It imports nothing but click, because `--help` loads it with every command.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

CONFIG_FILE = Path("/etc/ldaphealth/ldaphealth.yaml")
SOCKET = Path("/run/ldaphealth/agent.sock")

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="LDAPHEALTH_CONFIG",
    show_envvar=True,
    default=CONFIG_FILE,
    show_default=True,
    metavar="FILE",
    help="Configuration file.",
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)


def default_socket() -> Path:
    """Return the socket of the agent that has the configuration of $LDAPHEALTH_CONFIG.

    The usual one if the variable is not set, or the file cannot be read.
    """
    path = os.environ.get("LDAPHEALTH_CONFIG")
    if not path:
        return SOCKET
    from ldaphealth.config import ConfigError, load_agent

    try:
        return load_agent(Path(path)).socket_path
    except ConfigError:
        return SOCKET


socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path, readable=False),
    envvar="LDAPHEALTH_SOCKET",
    show_envvar=True,
    default=default_socket,
    show_default=f"that of $LDAPHEALTH_CONFIG, else {SOCKET}",
    metavar="PATH",
    help="Socket of the agent.",
)


def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the clusters and servers that complete a name; none without a valid file."""
    from ldaphealth.config import ConfigError, load_without_files

    path = ctx.params.get("config_file") or Path(os.environ.get("LDAPHEALTH_CONFIG", CONFIG_FILE))
    try:
        clusters = load_without_files(Path(path)).clusters
    except ConfigError:
        return []
    servers = [server.id for each in clusters.values() for server in each.servers]
    known = [*clusters] if param.name in ("cluster", "clusters") else servers
    if param.name in ("target", "targets"):
        known = [*clusters, *servers]
    return [each for each in known if each.startswith(incomplete)]
