"""`ldaphealth agent`: start the daemon."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.cli.options import config_option

if TYPE_CHECKING:
    from ldaphealth.settings import Settings


@click.command("agent")
@config_option
@click.option("--debug", is_flag=True, help="Log every round, not only changes of verdict.")
def agent_command(config_file: Path, debug: bool) -> None:
    """Run the daemon that checks all servers until it is stopped.

    It keeps recent observations, so that one slow response removes no server. keepalived, HAProxy,
    Prometheus and the other commands read its verdicts. It runs in the foreground and logs to
    standard error, as service managers expect.

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
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent import assembly, reload
    from ldaphealth.cli.targets import read_agent_config

    file = reload.SettingsFile(config_file, read_agent_config)
    try:
        assembly.run_agent(_configure_log(config_file, debug=debug), file)
    except assembly.StartError as error:
        raise click.ClickException(str(error)) from error


def _configure_log(config_file: Path, *, debug: bool) -> Settings:
    """Log as the configuration says; return it."""
    from ldaphealth.agent import log_format
    from ldaphealth.cli.targets import load_config, read_agent_config

    settings = load_config(config_file, read_agent_config)
    log_format.configure(settings.agent.log_format, logging.DEBUG if debug else logging.INFO)
    return settings
