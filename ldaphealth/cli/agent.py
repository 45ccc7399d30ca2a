"""`ldaphealth agent`: start the daemon."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from ldaphealth.cli.options import config_option


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
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent import assembly, log_format, reload
    from ldaphealth.cli.targets import load_config, read_config

    settings = load_config(config_file)
    log_format.configure(settings.agent.log_format, logging.DEBUG if debug else logging.INFO)
    try:
        assembly.run_agent(settings, reload.SettingsFile(config_file, read_config))
    except assembly.StartError as error:
        raise click.ClickException(str(error)) from error
