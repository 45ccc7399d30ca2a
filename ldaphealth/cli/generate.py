"""`ldaphealth generate`: configuration files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaphealth.cli.option_types import WholeNumber
from ldaphealth.cli.options import complete, config_option, output_option
from ldaphealth.shard import MOST_SHARDS
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.generate.kinds import Kind

EXAMPLES = """\b
Examples:
  ldaphealth generate systemd
  ldaphealth generate systemd --shards 4
  ldaphealth generate keepalived --virtual-address 192.0.2.10
  ldaphealth generate prometheus --output /etc/prometheus/prometheus.yml
"""

output_options = (
    output_option,
    click.option("--force", is_flag=True, help="Replace the FILE of --output if it exists."),
)
site_options = {  # by the field of Site that an option sets
    "clusters": click.argument(
        "clusters", nargs=-1, metavar="[CLUSTER]...", shell_complete=complete
    ),
    "virtual_addresses": click.option(
        "--virtual-address",
        "virtual_addresses",
        multiple=True,
        metavar="[CLUSTER=]ADDRESS",
        help="The IP address that clients connect to; once for each cluster.  [default: that of a "
        "server with `role: balancer`, else a placeholder]",
    ),
    "interface": click.option(
        "--interface",
        default="",
        metavar="NAME",
        help="The network interface for the address: adds a vrrp_instance for a pair of balancers.",
    ),
    "shards": click.option(
        "--shards",
        type=WholeNumber(2, MOST_SHARDS),
        metavar="N",
        help="The template unit of N agents that divide the clusters (`ldaphealth agent --shard`).",
    ),
}


class Kinds(click.Group):
    """The kinds of files, each a command; the table is read when the group is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, balancers first."""
        from ldaphealth.generate.kinds import KINDS

        return [each.name for each in KINDS]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; click.UsageError names the one that was probably meant."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"No such kind {args[0]!r}{suggestion(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Make the command of one kind."""
        from ldaphealth.generate.kinds import KINDS

        return next((_command(each) for each in KINDS if each.name == cmd_name), None)


@click.group("generate", cls=Kinds, epilog=EXAMPLES)
def generate_command() -> None:
    """Print configuration files for other programs.

    They are made of the configuration file, ready to use and commented, and printed on standard
    output. Lines with SET THIS are what the configuration cannot say.
    """


def _command(kind: Kind) -> click.Command:
    def run(config_file: Path, output: Path | None, *, force: bool, **given: Any) -> None:
        from ldaphealth.cli.generated_file import generate

        generate(kind, config_file, output, force=force, given=given)

    command = click.command(
        kind.name,
        short_help=kind.help,
        help=f"{kind.help}\n\nIt is made of the configuration file. Lines with SET THIS are what "
        "the configuration cannot say.\n\n\b\nExit status: 0 printed or written, 3 bad input, or "
        "the FILE exists.",
        epilog=f"\b\nExamples:\n  ldaphealth generate {kind.name} --output FILE\n",
    )
    decorators = [*(site_options[each] for each in kind.needs), config_option, *output_options]
    for decorate in reversed(decorators):
        run = decorate(run)
    return command(run)
