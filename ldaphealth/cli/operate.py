"""The commands for the running agent: status, explain, and the overrides.

They use the socket of the agent, do not load ldap3 and finish in milliseconds.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from ldaphealth.cli.agent_request import query_agent, query_status, unanswered
from ldaphealth.cli.option_types import DurationText, MomentText, ReasonText
from ldaphealth.cli.options import AgentPlace, agent_options, complete, format_option
from ldaphealth.cli.printed_table import print_table
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.control.requests import (
    MAX_SECONDS,
    BaselineRequest,
    ExplainRequest,
    OverrideRequest,
    RemoveOverrideRequest,
)
from ldaphealth.model import OverrideAction
from ldaphealth.text.moment import moment

LEAST_SECONDS = 1.0  # of an override
WATCH_SECONDS = 1.0
MILLISECOND = 0.001
CLOCKS_APART_SECONDS = 60.0  # of this host and one from which a time was copied
SERVICE_TEXTS: Mapping[OverrideAction, str] = {
    "drain": "draining",
    "in": "in service",
    "out": "out of service",
}


@click.command("status")
@agent_options
@format_option
@click.option("--watch", is_flag=True, help="On a terminal: update every second until interrupted.")
def status_command(place: AgentPlace, form: str, watch: bool) -> None:
    """Show the verdicts of the running agent.

    The worst server is the first. Below it stands the rule or override that holds it, and what is
    not OK. LAG is for how long it is known to lack changes, or to be isolated or split. Then comes
    the state of the agent, and in the last line what is wrong. If shards of the agent run here
    (`ldaphealth agent --shard`), those of all of them are shown.

    \b
    Exit status: 0 every server is in service, 1 at least one is out, 3 no answer,
                 or none of a shard.

    \b
    Examples:
      ldaphealth status
      ldaphealth status --watch
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    document = query_status(place)
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        _draw_status(document, place, watch=watch)
    if missing := unanswered(document):
        raise click.ClickException("\n".join(missing))
    sys.exit(0 if all(each["in_service"] for each in document["verdicts"]) else 1)


def _draw_status(document: Mapping[str, Any], place: AgentPlace, *, watch: bool) -> None:
    from ldaphealth.tables.status_table import render_status  # rich
    from ldaphealth.tables.terminal import show_live

    if watch and sys.stdout.isatty():
        show_live(lambda: render_status(query_status(place)), WATCH_SECONDS)
    else:
        print_table(render_status(document))


@click.command("explain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@click.option(
    "--at",
    type=MomentText(),
    metavar="TIME",
    help="Show the verdict at this time, in UTC unless it has another offset, such as "
    "2026-11-23T03:12Z or 2026-11-23T04:12+01:00, or how long ago, such as 2h.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also show what was observed by each check, and each finding that is OK.",
)
@agent_options
@format_option
def explain_command(
    server: str, at: EpochSeconds | None, place: AgentPlace, form: str, *, everything: bool
) -> None:
    """Show why a server is in or out of service.

    It prints which checks are not OK and how old their observations are, which rule holds the
    server and until when, and last the verdict with its findings and what to do about them. The
    JSON has all observations. With --at it prints what it would have printed then, as far as the
    journal reaches (`ldaphealth replay --help`), and the changes of the verdict before and after.

    \b
    Examples:
      ldaphealth explain example/ldap2
      ldaphealth explain example/ldap2 --all
      ldaphealth explain example/ldap2 --at 2026-11-23T03:12Z

    \b
    Exit status: 0 shown, 3 no answer, no such server, no verdict at that time,
                 or a time in the future.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.control.explanation_lines import explanation_lines, wrapped

    document: Mapping[str, Any]
    if at is None:
        document = query_agent(place, ExplainRequest(server))
        lines = explanation_lines(document, everything=everything)
    else:
        document, lines = _past_explanation(server, at, place, everything=everything)
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    elif sys.stdout.isatty():
        click.echo("\n".join(wrapped(lines, shutil.get_terminal_size((100, 24)).columns)))
    else:
        click.echo("\n".join(lines))


def _past_explanation(
    server: str, at: EpochSeconds, place: AgentPlace, *, everything: bool
) -> tuple[Mapping[str, Any], list[str]]:
    """Return what `explain --at` shows, for JSON and for people."""
    from ldaphealth.cli.history_lines import history_lines
    from ldaphealth.cli.past_explanation import changes_around, seen_at
    from ldaphealth.control.explanation_lines import explanation_lines, past_lines

    if at > epoch_seconds() + CLOCKS_APART_SECONDS:
        raise click.ClickException(f"--at {moment(at)} is in the future; leave it out for now")
    until = at + MILLISECOND  # `history` prints whole milliseconds: include the change at this one
    around = changes_around(place, server, until)
    if "/" not in server or around.at is None:  # a cluster has a history, but no verdict
        hint = f"`ldaphealth history {server}` lists its verdicts"
        raise click.ClickException(
            f"the history has no verdict on {server} at {moment(at)}; {hint}"
        )
    seen = seen_at(place, server, until)
    changes = [each for each in (around.before, around.at, around.after) if each is not None]
    if isinstance(seen, str):
        click.echo(f"ldaphealth: what was seen then is not known: {seen}", err=True)
        lines = past_lines(around.at)
    else:
        lines = [
            f"at {moment(at)}, as the agent saw it",
            *explanation_lines(seen, everything=everything),
        ]
    document = {
        **around.at,
        "before": around.before,
        "after": around.after,
        "then": None if isinstance(seen, str) else seen,
    }
    return document, [*lines, "", "CHANGES", *(f"  {each}" for each in history_lines(changes))]


def _set_override(request: OverrideRequest, place: AgentPlace) -> None:
    document = query_agent(place, request)
    until = moment(epoch_seconds() + request.seconds)
    click.echo(
        f"{request.server} is {SERVICE_TEXTS[request.action]} until {until}, by operator override"
    )
    if too_few := document.get("broken_floor"):  # an older agent does not say
        click.echo(f"attention: {too_few}")


def _override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        agent_options,
        click.option(
            "--reason",
            type=ReasonText(),
            required=True,
            help="Reason for the override; `status` shows it.",
        ),
        click.option(
            "--for",
            "seconds",
            type=DurationText(LEAST_SECONDS, MAX_SECONDS, needs_unit=True),
            required=True,
            metavar="DURATION",
            help="Duration, such as 45m, 2h30m or 1d. `undrain` ends it earlier.",
        ),
        click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete),
    ):
        command = decorate(command)
    return command


force_option = click.option(
    "--force", is_flag=True, help="Do it even if no other server of the cluster is in service."
)


@click.command("drain")
@_override_options
@force_option
def drain_command(server: str, seconds: float, reason: str, place: AgentPlace, force: bool) -> None:
    """Send no new connections to a server.

    Open connections continue, if HAProxy or misc_dynamic of keepalived is used.

    \b
    Exit status: 0 done, 3 refused or no answer.

    \b
    Examples:
      ldaphealth drain example/ldap2 --for 2h30m --reason "new kernel"
      ldaphealth undrain example/ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    _set_override(OverrideRequest(server, "drain", seconds, reason, force), place)


@click.command("force-in")
@_override_options
def force_in_command(server: str, seconds: float, reason: str, place: AgentPlace) -> None:
    """Keep a server in service, whatever the checks find.

    \b
    Exit status: 0 done, 3 refused or no answer.

    \b
    Examples:
      ldaphealth force-in example/ldap2 --for 45m --reason "the check is wrong"
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    _set_override(OverrideRequest(server, "in", seconds, reason), place)


@click.command("force-out")
@_override_options
@force_option
def force_out_command(
    server: str, seconds: float, reason: str, place: AgentPlace, force: bool
) -> None:
    """Take a server out of service, whatever the checks find.

    \b
    Exit status: 0 done, 3 refused or no answer.

    \b
    Examples:
      ldaphealth force-out example/ldap2 --for 1d --reason "no new disk yet"
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    _set_override(OverrideRequest(server, "out", seconds, reason, force), place)


@click.command("undrain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@agent_options
def undrain_command(server: str, place: AgentPlace) -> None:
    """Remove an override: drain, force-in or force-out.

    The agent decides again.

    \b
    Exit status: 0 done, 3 no override, or no answer.

    \b
    Examples:
      ldaphealth undrain example/ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    query_agent(place, RemoveOverrideRequest(server))
    click.echo(f"{server}: the agent decides again")


@click.command("baseline")
@click.argument("cluster", metavar="CLUSTER", shell_complete=complete)
@agent_options
@format_option
def baseline_command(cluster: str, place: AgentPlace, form: str) -> None:
    """Accept that a cluster was restored from an older backup.

    After such a restore all servers lack changes that they had, which is replication.regressed,
    CRITICAL. When more than half of the servers have agreed for long enough (baseline_seconds of
    the check replication), the agent accepts it by itself. This command accepts it at once: what
    the servers show now is the new baseline. `ldaphealth history CLUSTER` keeps the old one.

    It is refused while no server lacks changes that it had. It is also refused while another server
    has them, unless more than half of the servers went back to the same position: a server that
    went back alone receives them by replication.

    \b
    Examples:
      ldaphealth baseline example
      ldaphealth history example

    \b
    Exit status: 0 accepted, 3 refused or no answer.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    document = query_agent(place, BaselineRequest(cluster))
    if form == "json":
        click.echo(json.dumps(document, indent=2))
        return
    for each in document["baselines"]:
        click.echo(f"{cluster}: new baseline of {each['check']}: {each['summary']}")
