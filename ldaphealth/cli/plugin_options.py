"""The options of check_ldaphealth: those of check_ldap, and ours beside them.

check_ldaphealth.py calls `with_options`; host_options.py and by_host.py say what
those of one server mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.command_line_secret import hide
from ldaphealth.cli.options import CONFIG_FILE, as_socket, complete
from ldaphealth.judging.thresholds import Range, parse_range
from ldaphealth.model import State

PROGRAM = "check_ldaphealth"
TIMEOUT_SECONDS = 10.0  # check_ldap's
IGNORED = ("ver2", "ver3", "use_ipv4", "use_ipv6")


class RangeText(click.ParamType[Range | None]):
    """A number or a range of the guidelines; nothing for an empty word, as an unset macro is."""

    name = "range"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Range | None:
        """Return the range."""
        if not str(value).strip():
            return None
        try:
            return parse_range(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PortNumber(click.IntRange):
    """A TCP port; nothing for an empty word."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        return super().convert(value, param, ctx) if str(value).strip() else None


def _help(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(ctx.get_help())
        ctx.exit(State.UNKNOWN.value)  # the guidelines, and check_ldap


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version  # email, for 10 ms

        click.echo(f"{PROGRAM} {version('ldaphealth')}")
        ctx.exit(State.UNKNOWN.value)


def _no_extra_opts(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("--extra-opts is not read: write the options out")


def _hidden(_: click.Context, __: click.Parameter, value: str) -> str:
    if value:
        hide(value)
    return value


RANGE = RangeText()


OPTIONS: tuple[Callable[[Callable[..., object]], Callable[..., object]], ...] = (
    click.option(
        "-H",
        "--hostname",
        "host",
        default="",
        metavar="ADDRESS",
        help="Look at this server: a name, an IP address, or the absolute path of a Unix socket.",
    ),
    click.option(
        "-p",
        "--port",
        type=PortNumber(1, 65535),
        metavar="PORT",
        help="Where it listens.  [default: 389, with -S 636]",
    ),
    click.option("-S", "--ssl", is_flag=True, help="TLS from the first byte (LDAPS)."),
    click.option("-T", "--starttls", is_flag=True, help="StartTLS before the bind."),
    click.option(
        "-b",
        "--base",
        metavar="DN",
        help="Where to search. Needed with -H; -b '' reads the root DSE.",
    ),
    click.option(
        "-a",
        "--attr",
        "filter",
        default="",
        metavar="FILTER",
        help="What to search for.  [default: (objectClass=*)]",
    ),
    click.option("-D", "--bind", "bind_dn", default="", metavar="DN", help="Bind as this DN."),
    click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The password of -D, in a file that only its owner can read.",
    ),
    click.option(
        "-P",
        "--pass",
        "password",
        default="",
        metavar="PASSWORD",
        callback=_hidden,
        is_eager=True,
        help="The password of -D, as check_ldap takes it. Every user of the machine can read it "
        "where the monitoring starts us; here it is overwritten at once. Better are "
        "--password-file, and LDAP_PASSWORD in the environment.",
    ),
    click.option(
        "--ca-file",
        default="",
        envvar="LDAPTLS_CACERT",
        show_envvar=True,
        metavar="FILE",
        help="Authorities to trust.  [default: the system's]",
    ),
    click.option(
        "-w",
        "--warning",
        type=RANGE,
        metavar="SECONDS",
        help="WARNING when the response time is more, or outside this range.",
    ),
    click.option("-c", "--critical", type=RANGE, metavar="SECONDS", help="CRITICAL, likewise."),
    click.option(
        "-W",
        "--warn-entries",
        type=RANGE,
        metavar="RANGE",
        help="WARNING when the search of the whole tree below -b finds more entries, or so many "
        "that it is outside this range. At most 1000 are counted.",
    ),
    click.option("-C", "--crit-entries", type=RANGE, metavar="RANGE", help="CRITICAL, likewise."),
    click.option(
        "--cluster",
        "target",
        default="",
        metavar="CLUSTER[/SERVER]",
        shell_complete=complete,
        help="Look at this cluster of the configuration, or at one of its servers.",
    ),
    click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        envvar="LDAPHEALTH_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help=f"Where the clusters are described; alone: look at all.  [default: {CONFIG_FILE}]",
    ),
    click.option(
        "--agent",
        is_flag=True,
        help="Ask the running agent for its verdicts, without a look: all, or those of --cluster.",
    ),
    as_socket,
    click.option(
        "--check",
        "checks",
        multiple=True,
        metavar="NAME",
        help="Only findings of this check decide, beside -w and -c; more than once for several.",
    ),
    click.option(
        "-t",
        "--timeout",
        type=click.FloatRange(0.1, 300),
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="Everything ends by then, whatever a server does.  [default: 10]",
    ),
    click.option("-v", "--verbose", count=True, help="Tell every finding, good ones too."),
    click.option("-2", "--ver2", is_flag=True, help="Taken and not followed: version 3 is spoken."),
    click.option("-3", "--ver3", is_flag=True, help="Nothing else is spoken."),
    click.option(
        "-4", "--use-ipv4", is_flag=True, help="Taken and, as by check_ldap, not followed."
    ),
    click.option(
        "-6", "--use-ipv6", is_flag=True, help="Taken and, as by check_ldap, not followed."
    ),
    click.option(
        "--extra-opts",
        is_flag=False,
        flag_value="",
        hidden=True,
        expose_value=False,
        callback=_no_extra_opts,
    ),
    click.option(
        "-V",
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Print the version.",
    ),
    click.option(
        "-h",
        "--help",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_help,
        help="Print this.",
    ),
)


def with_options(command: Callable[..., object]) -> Callable[..., object]:
    """Give a function all options, in the order of `--help`."""
    for decorate in reversed(OPTIONS):
        command = decorate(command)
    return command
