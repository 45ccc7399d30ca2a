"""`ldaphealth csn`: decode, compare and watch change sequence numbers.

commands.py loads the group when it is used. Only `watch` uses LDAP and loads ldap3.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.option_types import DurationText, WholeNumber
from ldaphealth.cli.options import complete, config_option, format_option
from ldaphealth.csn import CSN, CSNError, find_all
from ldaphealth.text.duration import duration
from ldaphealth.text.moment import utc_text

NEWER = """\
{newer}
The two writes are {gap} apart ({gap_seconds:.6f} s). This is the time between two writes,
not the delay of a server: after a day without writes, the next write makes it a day."""
OTHER_SID = """
They have different server IDs. Each server sets the time of its own writes by its own clock, so
the order is not reliable. Compare CSNs of one server ID."""


class BadCSN(click.ClickException):
    """A value on the command line is not a CSN: bad input, with exit status 3."""

    exit_code = BAD_INPUT


@click.group("csn")
def csn_command() -> None:
    """Decode, compare and watch CSNs of OpenLDAP.

    A CSN is a change sequence number: a value of contextCSN or entryCSN.
    """


@csn_command.command("parse")
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@format_option
def csn_parse_command(values: tuple[str, ...], form: str) -> None:
    """Print the parts of each CSN.

    These are the time and its age, the count, the server ID and the modification number. A VALUE
    may be a line of LDIF, a sync cookie or a line of a log: all CSNs in it are printed.

    \b
    Examples:
      ldaphealth csn parse '20261123101500.123456Z#000000#001#000000'
      ldaphealth csn parse "$(ldapsearch -LLL ... contextCSN)"

    \b
    Exit status: 0 printed, 3 no CSN.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    now = datetime.now(UTC)
    positions = [position for value in values for position in read_csns(value)]
    if form == "json":
        click.echo(json.dumps([describe(position, now) for position in positions], indent=2))
    else:
        click.echo("\n\n".join(description_text(position, now) for position in positions))


@csn_command.command("compare")
@click.argument("a")
@click.argument("b")
@format_option
def csn_compare_command(a: str, b: str, form: str) -> None:
    """Print which of two CSNs is newer, and by how much time.

    \b
    Examples:
      ldaphealth csn compare '20261123101500.123456Z#000000#001#000000' \\
        '20261124101501.000000Z#000000#001#000000'

    \b
    Exit status: 0 printed, 3 not two CSNs.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    positions = read_csn(a), read_csn(b)
    if form == "json":
        click.echo(json.dumps(comparison(*positions), indent=2))
    else:
        click.echo(comparison_text(*positions))


@csn_command.command("watch")
@click.argument("cluster", shell_complete=complete)
@config_option
@click.option(
    "--every",
    "pause_seconds",
    type=DurationText(0.2, 60),
    default="1s",
    show_default=True,
    metavar="DURATION",
    help="Pause between two probes.",
)
@click.option(
    "--count",
    type=WholeNumber(1),
    metavar="N",
    help="Probe N times, print the last result, and exit.",
)
@format_option
def csn_watch_command(
    cluster: str, config_file: Path, pause_seconds: float, count: int | None, form: str
) -> None:
    """Show live which server has which changes.

    The output is a matrix of servers and server IDs.

    It reads the servers of CLUSTER directly, with the account of the configuration; no agent is
    needed.

    \b
    Exit status: 0 shown, 1 no server could be read (with --count), 3 bad input.

    \b
    Examples:
      ldaphealth csn watch example
      ldaphealth csn watch example --count 2 --format json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.csn_watch import watch_csns  # ldap3 and rich

    sys.exit(watch_csns(cluster, config_file, pause_seconds, count, form))


def read_csns(text: str) -> list[CSN]:
    """Return the CSNs in an argument; raise BadCSN, with the right form, if there is none."""
    try:
        return find_all(text)
    except CSNError as error:
        raise BadCSN(str(error)) from error


def read_csn(text: str) -> CSN:
    """Return the only CSN in an argument; raise BadCSN if there is none, or more than one."""
    first, *others = read_csns(text)
    if others:
        raise BadCSN(f"{1 + len(others)} CSNs in one argument; give the one to compare")
    return first


def describe(position: CSN, now: datetime) -> dict[str, object]:
    """Return the parts of a CSN. Its age is by the clock of this host, negative in the future."""
    return {
        "normalized": str(position),
        "time": utc_text(position.time, "microseconds"),
        "age_seconds": (now - position.time).total_seconds(),
        "count": position.count,
        "sid": position.sid,
        "sid_hex": f"{position.sid:03x}",
        "mod": position.mod,
    }


def description_text(position: CSN, now: datetime) -> str:
    """Return one CSN as lines for a terminal."""
    age_seconds = (now - position.time).total_seconds()
    distance = duration(abs(age_seconds))
    age = f"{distance} ago" if age_seconds >= 0 else f"in {distance}, by the clock of this host"
    return "\n".join(
        (
            f"CSN       {position}",
            f"time      {utc_text(position.time, 'microseconds')} ({age})",
            f"count     {position.count}",
            f"server ID {position.sid:03x} hexadecimal, {position.sid} decimal",
            f"mod       {position.mod}",
        )
    )


def comparison(a: CSN, b: CSN) -> dict[str, object]:
    """Return which CSN is newer, None if they are equal, and the seconds between the writes."""
    return {
        "a": str(a),
        "b": str(b),
        "newer": None if a == b else "a" if a > b else "b",
        "gap_seconds": abs((a.time - b.time).total_seconds()),
        "same_sid": a.sid == b.sid,
    }


def comparison_text(a: CSN, b: CSN) -> str:
    """Return a comparison as lines for a terminal, with a note on what it does not show."""
    if a == b:
        return "Both CSNs are equal."
    gap_seconds = abs((a.time - b.time).total_seconds())
    newer = f"A is newer: {a}" if a > b else f"B is newer: {b}"
    text = NEWER.format(newer=newer, gap=duration(gap_seconds), gap_seconds=gap_seconds)
    return text if a.sid == b.sid else text + OTHER_SID
