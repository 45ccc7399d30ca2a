"""`ldaphealth history`: changes of verdicts, availability, and the times of operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from ldaphealth.cli.option_types import MomentText, Number, WholeNumber
from ldaphealth.cli.options import AgentPlace, agent_options, complete
from ldaphealth.cli.past_changes import (
    past_availability,
    past_changes,
    past_numbers,
    past_times,
)
from ldaphealth.cli.printed_table import ascii_only, print_table
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.control.requests import (
    AvailabilityRequest,
    HistoryRequest,
    NumbersRequest,
    TimesRequest,
)
from ldaphealth.history.periods import BY_SECONDS, MOST_PERIODS, usual_by
from ldaphealth.text.moment import moment

REPLICATION = "replication.behind_seconds"


@click.command("history")
@click.argument("target", metavar="[CLUSTER[/SERVER]]", default="", shell_complete=complete)
@click.option(
    "--limit",
    type=WholeNumber(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="List at most N changes.",
)
@click.option(
    "--availability",
    is_flag=True,
    help="Show for which share of the time each server and cluster was in service.",
)
@click.option(
    "--times",
    default="",
    metavar="CHECK[.OPERATION]",
    help="Show how long the operations of a check took, such as search or bind.bind.",
)
@click.option(
    "--replication",
    is_flag=True,
    help="Show how far each server was behind in replication, by server ID.",
)
@click.option(
    "--number",
    default="",
    metavar="CHECK.NAME",
    help="Show another number of the servers, such as resources.connections.",
)
@click.option(
    "--quantile",
    type=Number(0.0, 1.0),
    default=0.99,
    show_default=True,
    metavar="SHARE",
    help="With --times: the time that this share of the operations did not exceed.",
)
@click.option(
    "--by",
    type=click.Choice([*BY_SECONDS]),
    help="The length of a period, such as with --times.  [default: by the length of the whole]",
)
@click.option(
    "--since",
    type=MomentText(),
    default="30d",
    show_default=True,
    metavar="TIME",
    help="From this time on, such as 2026-11-23T03:12Z, or how long ago; not for the list of "
    "changes.",
)
@click.option(
    "--until",
    type=MomentText(),
    metavar="TIME",
    help="Up to this time, likewise.  [default: now]",
)
@agent_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="Output format; csv is for --times, --replication and --number.",
)
def history_command(place: AgentPlace, **given: Any) -> None:
    """List the latest changes of verdict, newest first.

    Without an argument, those of all servers are listed. The lists of all and of a cluster also
    have its new baselines (`ldaphealth baseline`), and what its shadow would have changed. A change
    by an override has the user, the end and the reason, also after it was taken back. While no
    agent runs, the history on disk of the agent of --config is read.

    With --availability it shows of a period how long each server was in service, its longest
    outage, and how often each reason removed it; of a cluster, for how long it had at least
    `min_in_service` servers. A verdict lasts until the next one, also while no agent runs. What was
    before the first one is left out.

    With --times it plots a quantile of the times of a check for each server, and of one server
    lists the periods. Times are wrong by 5 % at most. How far minutes, hours and days reach back
    is set by `agent.history`.

    With --replication it plots for how long each server lacked changes that most others had: the
    longest time of each period, by server ID. --number does the same with any other number that
    the history keeps, such as the pages of the database. A wrong name lists them.

    \b
    Exit status: 0 listed, 3 bad input, no such server, or no answer and no
                 history.

    \b
    Examples:
      ldaphealth history
      ldaphealth history example/ldap2 --limit 5
      ldaphealth history example --availability --since 7d
      ldaphealth history example --times search --since 24h
      ldaphealth history example/ldap2 --times bind --by day --format csv
      ldaphealth history example --replication --since 7d --by hour
      ldaphealth history example --number resources.database_pages --since 90d
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    chosen = [each for each in ("availability", "times", "replication", "number") if given[each]]
    if len(chosen) > 1:
        raise click.UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    if given["form"] == "csv" and (not chosen or given["availability"]):
        raise click.UsageError("--format csv needs --times, --replication or --number")
    if given["availability"]:
        _print_availability(place, given)
    elif given["times"]:
        _print_times(place, given)
    elif chosen:
        _print_numbers(place, given)
    else:
        _print_changes(place, given)


def _print_changes(place: AgentPlace, given: Mapping[str, Any]) -> None:
    changes = past_changes(place, HistoryRequest(given["target"], given["limit"]))
    if given["form"] == "json":
        click.echo(json.dumps(changes, indent=2))
        return
    from ldaphealth.cli.history_lines import history_lines  # what only this form needs

    for line in history_lines(changes):
        click.echo(line)


def _print_availability(place: AgentPlace, given: Mapping[str, Any]) -> None:
    since, until = _period(given)
    document = past_availability(place, AvailabilityRequest(given["target"], since, until))
    if given["form"] == "json":
        click.echo(json.dumps(document, indent=2))
        return
    from ldaphealth.tables.availability_table import render_availability

    print_table(render_availability(document))


def _print_times(place: AgentPlace, given: Mapping[str, Any]) -> None:
    since, until = _period(given)
    by_seconds = _by_seconds(given, until - since)
    check, _, operation = given["times"].partition(".")
    document = past_times(
        place,
        TimesRequest(
            server=given["target"],
            check=check,
            operation=operation,
            since_epoch=since,
            until_epoch=until,
            by_seconds=by_seconds,
            quantile=given["quantile"],
        ),
    )
    from ldaphealth.tables.times_table import csv_lines, render_times

    _print_periods(given["form"], document, render_times, csv_lines)


def _print_numbers(place: AgentPlace, given: Mapping[str, Any]) -> None:
    from ldaphealth.history.kept_numbers import BY_KEY, unknown_number
    from ldaphealth.tables.numbers_table import numbers_csv, render_numbers

    number = given["number"] or REPLICATION
    if number not in BY_KEY:
        raise click.UsageError(unknown_number(number))
    since, until = _period(given)
    request = NumbersRequest(
        server=given["target"],
        number=number,
        since_epoch=since,
        until_epoch=until,
        by_seconds=_by_seconds(given, until - since),
    )
    _print_periods(given["form"], past_numbers(place, request), render_numbers, numbers_csv)


def _print_periods(
    form: str,
    document: Mapping[str, Any],
    render: Callable[..., Any],
    csv_lines: Callable[[Mapping[str, Any]], Iterable[str]],
) -> None:
    """Print the periods of servers; plots without UTF-8 are of ASCII characters."""
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    elif form == "csv":
        click.echo("\n".join(csv_lines(document)))
    else:
        print_table(render(document, ascii_only=ascii_only()))


def _by_seconds(given: Mapping[str, Any], seconds: float) -> int:
    """Return the length of the periods that a time is divided into; click.UsageError: too many."""
    by_seconds = BY_SECONDS[given["by"] or usual_by(seconds)]
    if seconds / by_seconds > MOST_PERIODS:
        raise click.UsageError(f"more than {MOST_PERIODS} periods: --since later, or a longer --by")
    return by_seconds


def _period(given: Mapping[str, Any]) -> tuple[EpochSeconds, EpochSeconds]:
    now = epoch_seconds()
    until = now if given["until"] is None else min(given["until"], now)
    if given["since"] >= until:
        raise click.UsageError(f"--since {moment(given['since'])} is not before {moment(until)}")
    return given["since"], until
