"""`ldaphealth agent`: start the daemon."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.cli.option_types import ShardText
from ldaphealth.cli.options import config_option

if TYPE_CHECKING:
    from ldaphealth.settings import Settings
    from ldaphealth.shard import Shard


@click.command("agent")
@config_option
@click.option(
    "--shard",
    type=ShardText(),
    default="1/1",
    metavar="I/N",
    help="Check only the clusters of shard I of N, such as 2/4. Each cluster belongs to one of N "
    "agents, by the hash of its name.",
)
@click.option(
    "--own-host",
    is_flag=True,
    help="The shard has this host or container to itself, so it listens on the ports of the "
    "configuration as they are.",
)
@click.option("--debug", is_flag=True, help="Log every round, not only changes of verdict.")
def agent_command(config_file: Path, shard: Shard, own_host: bool, debug: bool) -> None:
    """Run the daemon that checks all servers until it is stopped.

    It keeps recent observations, so that one slow response removes no server. keepalived, HAProxy,
    Prometheus and the other commands read its verdicts. It runs in the foreground and logs to
    standard error, as service managers expect.

    One agent uses about one CPU core. With --shard several of them divide the clusters of one
    configuration, on one host or on many; the other commands find the one of a cluster. Shard I
    listens on the port of the configuration plus I - 1. To change N, end all shards first.
    docs/how-to/shards.md has the details.

    \b
    Signals:
      TERM, INT  stop
      HUP        read the configuration again; keep the old one if the new one is
                 wrong; stop if the terminal that started the agent is closed

    \b
    Exit status: 0 stopped by a signal, 3 it could not start.

    \b
    Examples:
      ldaphealth agent
      ldaphealth agent --config ldaphealth.yaml --debug
      ldaphealth agent --shard 2/4
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent import assembly, reload

    read = partial(_read_shard, shard, own_host=own_host)
    file = reload.SettingsFile(config_file, read)
    try:
        assembly.run_agent(_configure_log(config_file, read, debug=debug), file)
    except assembly.StartError as error:
        raise click.ClickException(str(error)) from error


def _read_shard(shard: Shard, config_file: Path, *, own_host: bool) -> Settings:
    """Return the settings of a shard; ConfigError."""
    from ldaphealth.cli.targets import read_agent_config
    from ldaphealth.config import ConfigError

    settings = read_agent_config(config_file)
    try:
        return settings.of(shard, own_host=own_host)
    except ValueError as error:
        raise ConfigError([f"{config_file}: {error}"]) from error


def _configure_log(config_file: Path, read: Callable[[Path], Settings], *, debug: bool) -> Settings:
    """Log as the configuration says; return it."""
    from ldaphealth.agent import log_format
    from ldaphealth.cli.targets import load_config

    settings = load_config(config_file, read)
    log_format.configure(settings.agent.log_format, logging.DEBUG if debug else logging.INFO)
    return settings
