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
    """Look at all servers for ever, and tell whoever asks.

    It remembers what it saw, so that one slow answer removes nobody, and tells keepalived, HAProxy,
    Prometheus and you. It stays in the foreground and logs to standard error, as a service manager
    wants it.

    \b
    Signals: TERM and INT end it; HUP reads the configuration again, and keeps the old one if the
    new one is wrong. It ends with the terminal that it was started from.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent import assembly, log_format, reload
    from ldaphealth.cli.targets import load_config, read_config

    settings = load_config(config_file)
    log_format.configure(settings.agent.log_format, logging.DEBUG if debug else logging.INFO)
    try:
        assembly.run_agent(settings, reload.SettingsFile(config_file, read_config))
    except assembly.StartError as error:
        raise click.ClickException(str(error)) from error
