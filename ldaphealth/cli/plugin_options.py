"""The options of check_ldaphealth: those of check_ldap, and additional ones.

check_ldaphealth.py uses `with_options`. host_options.py and by_host.py interpret the options of one
server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ldaphealth import __version__
from ldaphealth.cli.command_line_secret import hide
from ldaphealth.cli.option_types import Number, WholeNumber
from ldaphealth.cli.options import (
    CONFIG_FILE,
    READ_PATH,
    complete,
    password_file_option,
    socket_option,
)
from ldaphealth.judging.thresholds import Range, parse_range
from ldaphealth.model import State

PROGRAM = "check_ldaphealth"
TIMEOUT_SECONDS = 10.0  # as in check_ldap
IGNORED = ("ver2", "ver3", "use_ipv4", "use_ipv6")


class RangeText(click.ParamType[Range | None]):
    """A number or a range of the plugin guidelines; None for "", the value of an unset macro."""

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


class PortNumber(WholeNumber):
    """A TCP port; None for ""."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        return super().convert(value, param, ctx) if str(value).strip() else None


def _print_help(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(ctx.get_help())
        ctx.exit(State.UNKNOWN.value)  # as in the plugin guidelines and check_ldap


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit(State.UNKNOWN.value)


def _refuse_extra_opts(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("--extra-opts is not supported: give the options themselves")


def _hide(_: click.Context, __: click.Parameter, value: str) -> str:
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
        help="Check this server: a host name, IP address, HOST:PORT, LDAP URL, or the path "
        "of a Unix socket.",
    ),
    click.option(
        "-p",
        "--port",
        type=PortNumber(1, 65535),
        metavar="PORT",
        help="Port of the server; 636 implies -S.  [default: 389, with -S 636]",
    ),
    click.option("-S", "--ssl", is_flag=True, help="Use LDAPS."),
    click.option("-T", "--starttls", is_flag=True, help="Use StartTLS before the bind."),
    click.option(
        "--proxy-protocol",
        is_flag=True,
        help="Begin the connection with the PROXY protocol, which the port of the server expects.",
    ),
    click.option(
        "-b",
        "--base",
        metavar="DN",
        help="Base of the search, required with -H. -b '' reads the root DSE.",
    ),
    click.option(
        "-a",
        "--attr",
        "filter",
        default="",
        metavar="FILTER",
        help="Filter of the search.  [default: (objectClass=*)]",
    ),
    click.option("-D", "--bind", "bind_dn", default="", metavar="DN", help="Bind as this DN."),
    password_file_option("File with the password of -D, readable only by its owner."),
    click.option(
        "-P",
        "--pass",
        "password",
        default="",
        metavar="PASSWORD",
        callback=_hide,
        is_eager=True,
        help="Password of -D, as in check_ldap. Every user of this host can read it in the command "
        "line of the monitoring program; the plugin overwrites its own. Prefer --password-file, or "
        "LDAP_PASSWORD in the environment.",
    ),
    click.option(
        "--ca-file",
        default="",
        envvar="LDAPTLS_CACERT",
        show_envvar=True,
        metavar="FILE",
        help="CA certificates to trust, in PEM.  [default: those of the system]",
    ),
    click.option(
        "-w",
        "--warning",
        type=RANGE,
        metavar="SECONDS",
        help="WARNING if the response time is more than this, or outside this range.",
    ),
    click.option("-c", "--critical", type=RANGE, metavar="SECONDS", help="The same for CRITICAL."),
    click.option(
        "-W",
        "--warn-entries",
        type=RANGE,
        metavar="RANGE",
        help="WARNING if a search of the subtree -b finds more entries than this, or a number "
        "outside this range. At most 1000 entries are counted.",
    ),
    click.option(
        "-C", "--crit-entries", type=RANGE, metavar="RANGE", help="The same for CRITICAL."
    ),
    click.option(
        "--cluster",
        "target",
        default="",
        metavar="CLUSTER[/SERVER]",
        shell_complete=complete,
        help="Check this cluster of the configuration, or one of its servers.",
    ),
    click.option(
        "--config",
        "config_file",
        type=READ_PATH,
        envvar="LDAPHEALTH_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help=f"Configuration file; alone: check all its clusters.  [default: {CONFIG_FILE}]",
    ),
    click.option(
        "--agent",
        is_flag=True,
        help="Report the verdicts of the running agent, without LDAP traffic: all, or those of "
        "--cluster.",
    ),
    socket_option,
    click.option(
        "--check",
        "checks",
        multiple=True,
        metavar="NAME",
        help="Judge only the findings of this check, and -w and -c. Can be given more than once.",
    ),
    click.option(
        "-t",
        "--timeout",
        type=Number(0.1, 300),
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="Time limit of the plugin, whatever a server does.  [default: 10]",
    ),
    click.option(
        "-v", "--verbose", count=True, help="Print every finding, including those that are OK."
    ),
    click.option(
        "-2", "--ver2", is_flag=True, help="Accepted and ignored: LDAP version 3 is used."
    ),
    click.option("-3", "--ver3", is_flag=True, help="Accepted: LDAP version 3 is always used."),
    click.option("-4", "--use-ipv4", is_flag=True, help="Accepted and ignored, as by check_ldap."),
    click.option("-6", "--use-ipv6", is_flag=True, help="Accepted and ignored, as by check_ldap."),
    click.option(
        "--extra-opts",
        is_flag=False,
        flag_value="",
        hidden=True,
        expose_value=False,
        callback=_refuse_extra_opts,
    ),
    click.option(
        "-V",
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_version,
        help="Print the version.",
    ),
    click.option(
        "-h",
        "--help",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_help,
        help="Print this help.",
    ),
)


def with_options(command: Callable[..., object]) -> Callable[..., object]:
    """Give a function all options, in the order of `--help`."""
    for decorate in reversed(OPTIONS):
        command = decorate(command)
    return command
