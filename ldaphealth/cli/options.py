"""Options that several commands have, and the completion of clusters and servers.

It imports little but click, because `--help` loads it with every command.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from ldaphealth.shard import WHOLE, Shard

CONFIG_FILE = Path("/etc/ldaphealth/ldaphealth.yaml")
SOCKET = Path("/run/ldaphealth/agent.sock")
# Of what is not readable the code that reads it says more than click: who may read it.
READ_PATH = click.Path(path_type=Path, readable=False)

config_option = click.option(
    "--config",
    "config_file",
    type=READ_PATH,
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

output_option = click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to a new file instead of standard output.",
)


def password_file_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option for a file with a password."""
    return click.option("--password-file", type=READ_PATH, metavar="FILE", help=help_text)


of_bind_dn = password_file_option(
    "File with the password of --bind-dn, readable only by its owner."
)


class AgentPlace(NamedTuple):
    """Where the running agent answers, and the configuration that it was started with.

    `unusable` is why the configuration cannot be read. Then the socket is the usual one, and the
    agent, which may still run, may have another. `places.py` finds those of shards.
    """

    socket: Path
    config_file: Path = CONFIG_FILE
    unusable: str = ""
    shard: Shard = WHOLE

    def of(self, shard: Shard) -> AgentPlace:
        """Return the place of a shard of the agent."""
        own = shard.below(self.socket.parent) / self.socket.name
        return self._replace(socket=own, shard=shard)

    @property
    def common_socket(self) -> Path:
        """Return the socket by which the configuration names the agent, whatever the shard."""
        return self.shard.above(self.socket.parent) / self.socket.name


def agent_place(
    socket: Path | None, config_file: Path | None, *, must_be_readable: bool = False
) -> AgentPlace:
    """Return the place of the agent with this socket, or else with this configuration.

    Without both it is the usual one. `must_be_readable`: raise click.ClickException if the file
    cannot be used.
    """
    if socket is not None or config_file is None:
        return AgentPlace(socket or SOCKET, config_file or CONFIG_FILE)
    from ldaphealth.config import ConfigError, load_agent

    try:
        return AgentPlace(load_agent(config_file).socket_path, config_file)
    except ConfigError as error:
        first, *more = error.problems
        if must_be_readable:
            problems = "\n".join(f"{config_file}: {each}" for each in (first, *more))
            raise click.ClickException(problems) from error
        others = f" (and {len(more)} more)" if more else ""
        return AgentPlace(SOCKET, config_file, f"{config_file}: {first}{others}")


socket_option = click.option(
    "--socket",
    type=READ_PATH,
    envvar="LDAPHEALTH_SOCKET",
    show_envvar=True,
    metavar="PATH",
    help=f"Socket of the agent, or of one shard.  [default: that of --config, else {SOCKET}]",
)

_config_of_agent = click.option(
    "--config",
    "config_file",
    type=READ_PATH,
    envvar="LDAPHEALTH_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="Configuration file of the agent, which names its socket.",
)


def agent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that find the running agent; it gets them as `place`."""

    @wraps(command)
    @click.pass_context
    def run(
        ctx: click.Context, /, *, socket: Path | None, config_file: Path | None, **given: Any
    ) -> Any:
        is_named = ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
        place = agent_place(socket, config_file, must_be_readable=is_named)
        return command(place=place, **given)

    return _config_of_agent(socket_option(run))


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
