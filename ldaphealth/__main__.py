"""The entry of the program: which commands there are, and what leaves as an exit status."""

from __future__ import annotations

import importlib
import sys

import click

from ldaphealth.printable import printable

BAD_INPUT = 3
COMMANDS = {
    "check": "ldaphealth.cli.check",
    "config": "ldaphealth.cli.config",
    "canary": "ldaphealth.cli.canary",
    "csn": "ldaphealth.cli.csn",
}


class Commands(click.Group):
    """The commands, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ldaphealth")
def cli() -> None:
    """Health checks for clusters of LDAP servers."""


def main() -> None:
    """Run the program. Bad input is one line on standard error and exit status 3."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        hint = f" (see {usage} --help)" if usage else ""
        click.echo(f"ldaphealth: {printable(error.format_message(), 500)}{hint}", err=True)
        sys.exit(BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
