"""The table of commands, and the exit status. `__main__.py` calls `main`."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import NoReturn

import click

from ldaphealth import __version__
from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.output_error import report_output_error
from ldaphealth.cli.private_memory import keep_memory_private
from ldaphealth.cli.standard_streams import replace_closed_streams
from ldaphealth.text.printable import printable
from ldaphealth.text.suggestion import suggestion

INTERRUPTED = 130  # as in a shell: 128 plus SIGINT
PIPE = 141  # 128 plus SIGPIPE
COMMANDS = {  # the module and the function of each command
    "check": "ldaphealth.cli.check:check_command",
    "agent": "ldaphealth.cli.agent:agent_command",
    "status": "ldaphealth.cli.operate:status_command",
    "explain": "ldaphealth.cli.operate:explain_command",
    "reasons": "ldaphealth.cli.reasons:reasons_command",
    "history": "ldaphealth.cli.history:history_command",
    "report": "ldaphealth.cli.report:report_command",
    "incident": "ldaphealth.cli.incident:incident_command",
    "replay": "ldaphealth.cli.replay:replay_command",
    "backtest": "ldaphealth.cli.backtest:backtest_command",
    "reload": "ldaphealth.cli.reload:reload_command",
    "drain": "ldaphealth.cli.operate:drain_command",
    "undrain": "ldaphealth.cli.operate:undrain_command",
    "force-in": "ldaphealth.cli.operate:force_in_command",
    "force-out": "ldaphealth.cli.operate:force_out_command",
    "baseline": "ldaphealth.cli.operate:baseline_command",
    "doctor": "ldaphealth.cli.doctor:doctor_command",
    "config": "ldaphealth.cli.config:config_command",
    "setup": "ldaphealth.cli.setup:setup_command",
    "canary": "ldaphealth.cli.canary:canary_command",
    "csn": "ldaphealth.cli.csn:csn_command",
    "content": "ldaphealth.cli.content:content_command",
    "workload": "ldaphealth.cli.workload:workload_command",
    "discover": "ldaphealth.cli.discover:discover_command",
    "generate": "ldaphealth.cli.generate:generate_command",
}


class Commands(click.Group):
    """The commands, each loaded when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; click.UsageError names the one that was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(
                f"No such command {args[0]!r}{suggestion(args[0], COMMANDS)}", ctx
            )
        return super().resolve_command(ctx, args)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Health checks for clusters of LDAP servers.

    Where to begin: `ldaphealth discover LDAP-URL` writes a configuration, `ldaphealth doctor` says
    what is wrong with it, and `ldaphealth status` shows what the agent finds. The first hour, step
    by step: docs/tutorial.md.

    A time in an option has a unit: 500ms, 30s, 5m, 2h30m, 1d. Without a unit it is in seconds; for
    an override (--for) the unit must be given.
    """


def main() -> NoReturn:
    """Run the program. Bad input gives a message on standard error and exit status 3."""
    keep_memory_private()
    replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):  # a character that the locale lacks is not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader has exited, such as `head`
        status = PIPE
    except OSError as error:
        report_output_error(error, "ldaphealth")
        status = BAD_INPUT
    # A normal exit of the interpreter takes 15 ms more, a tenth of a check.
    os._exit(status)


def _run() -> int:
    """Return the exit status of the command."""
    try:
        cli.main(standalone_mode=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except click.exceptions.NoArgsIsHelpError as error:  # not an error message, but the help
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.ClickException as error:
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        hint = f" (see {usage} --help)" if usage else ""
        for line in error.format_message().splitlines():
            click.echo(f"ldaphealth: {printable(line, 500)}{hint}", err=True)
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return 0
