"""The commands for the running agent: status, explain, history, and the overrides.

They use the socket of the agent, do not load ldap3 and finish in milliseconds.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ldaphealth.cli.agent_request import query_agent
from ldaphealth.cli.options import complete, format_option, socket_option
from ldaphealth.cli.past_changes import past_changes
from ldaphealth.clocks import epoch_seconds
from ldaphealth.control.requests import (
    MAX_REASON_CHARACTERS,
    MAX_SECONDS,
    BaselineRequest,
    ExplainRequest,
    HistoryRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.model import OverrideAction
from ldaphealth.text.moment import moment

DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
UNIT_SECONDS = (86400, 3600, 60, 1)
WATCH_SECONDS = 1.0
MILLISECOND = 0.001
SERVICE_TEXTS: Mapping[OverrideAction, str] = {
    "drain": "draining",
    "in": "in service",
    "out": "out of service",
}

F = TypeVar("F", bound=Callable[..., object])


class DurationText(click.ParamType[float]):
    """A duration with its unit, such as `90s`, `30m`, `2h30m` or `1d`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        text = str(value)
        if text.isdecimal():
            self.fail(f"{text} has no unit; write {text}s, {text}m, {text}h or {text}d", param, ctx)
        match = DURATION.fullmatch(text) if text else None
        seconds = sum(
            int(number or 0) * unit
            for number, unit in zip(match.groups() if match else (), UNIT_SECONDS, strict=False)
        )
        if not 0 < seconds <= MAX_SECONDS:
            self.fail(
                f"{value!r} is not a duration up to 30d, such as 45m, 2h30m or 1d", param, ctx
            )
        return float(seconds)


class ReasonText(click.ParamType[str]):
    """A text of limited length."""

    name = "text"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text."""
        if len(str(value)) > MAX_REASON_CHARACTERS:
            self.fail(f"at most {MAX_REASON_CHARACTERS} characters", param, ctx)
        return str(value)


@click.command("status")
@socket_option
@format_option
@click.option("--watch", is_flag=True, help="On a terminal: update every second until interrupted.")
def status_command(socket: Path, form: str, watch: bool) -> None:
    """Show the verdicts of the running agent.

    The worst server is the first. Below it stands the rule or override that holds it, and what is
    not OK. LAG is for how long it is known to lack changes, or to be isolated or split. Then comes
    the state of the agent, and in the last line what is wrong.

    \b
    Exit status: 0 every server is in service, 1 at least one is out, 3 no answer.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    document = query_agent(socket, StatusRequest())
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        _draw_status(document, socket, watch=watch)
    sys.exit(0 if all(each["in_service"] for each in document["verdicts"]) else 1)


def _draw_status(document: Mapping[str, Any], socket: Path, *, watch: bool) -> None:
    from ldaphealth.tables.status_table import render_status  # rich
    from ldaphealth.tables.terminal import as_text, show_live

    if watch and sys.stdout.isatty():
        show_live(lambda: render_status(query_agent(socket, StatusRequest())), WATCH_SECONDS)
    else:
        width, colour = shutil.get_terminal_size((100, 24)).columns, sys.stdout.isatty()
        click.echo(as_text(render_status(document), width=width, colour=colour))


@click.command("explain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@click.option(
    "--at",
    metavar="TIME",
    help="Show the verdict at this local time, such as 2026-11-23T03:12.",
)
@socket_option
@format_option
def explain_command(server: str, at: str | None, socket: Path, form: str) -> None:
    """Show why a server is in or out of service.

    It prints the verdict, the findings and what to do about them, which rule holds the server and
    until when, and the newest observations with their age. With --at it prints the verdict, the
    override and what to do.

    \b
    Examples:
      ldaphealth explain example/ldap2
      ldaphealth explain example/ldap2 --at 2026-11-23T03:12
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.control.explanation_lines import explanation_lines, past_lines, wrapped

    if at is None:
        document = query_agent(socket, ExplainRequest(server))
        lines = explanation_lines(document)
    else:
        changes = past_changes(socket, HistoryRequest(server, 1, _epoch(at)))
        if "/" not in server or not changes:  # a cluster has a history, but no verdict
            hint = f"`ldaphealth history {server}` lists its verdicts"
            raise click.ClickException(f"the history has no verdict on {server} at {at}; {hint}")
        document = changes[0]
        lines = past_lines(document)
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    elif sys.stdout.isatty():
        click.echo("\n".join(wrapped(lines, shutil.get_terminal_size((100, 24)).columns)))
    else:
        click.echo("\n".join(lines))


@click.command("history")
@click.argument("target", metavar="[CLUSTER[/SERVER]]", default="", shell_complete=complete)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="List at most N changes.",
)
@socket_option
@format_option
def history_command(target: str, limit: int, socket: Path, form: str) -> None:
    """List the latest changes of verdict, newest first.

    Without an argument, those of all servers are listed. The lists of all and of a cluster also
    have its new baselines (`ldaphealth baseline`). A change by an override has the user, the end
    and the reason, also after it was taken back. While no agent runs, the history on disk of the
    agent of $LDAPHEALTH_CONFIG is read.
    """
    changes = past_changes(socket, HistoryRequest(target, limit))
    if form == "json":
        click.echo(json.dumps(changes, indent=2))
        return
    for change in changes:
        click.echo(_change_line(change))


def _change_line(change: Mapping[str, Any]) -> str:
    """Return one change of a verdict, or one new baseline of a cluster."""
    from ldaphealth.control.explanation_lines import service_text

    if baseline := change.get("baseline"):
        kind, subject = "baseline", baseline["cluster"]
        text = f"by {baseline['accepted_by']}: {baseline['summary']}"
    else:
        verdict = change["verdict"]
        kind, subject = service_text(verdict).partition(" ")[0], verdict["server"]
        text = _change_text(verdict, change.get("override_ended"))
    return f"{change['at']}  {kind:8}  {subject}  {text}".rstrip()


def _change_text(verdict: Mapping[str, Any], ended: Mapping[str, Any] | None) -> str:
    """Return the rule, the override in force or just ended, and the codes of the reasons."""
    from ldaphealth.text.override_words import ended_override_words, override_words

    override = verdict.get("override_in_force")  # a history of before has none
    order = f" ({override_words(override)})" if override else ""
    held = f"held by {verdict['held_by']}{order}" if verdict["held_by"] else ""
    codes = " ".join(reason["code"] for reason in verdict["reasons"])
    end = ended_override_words(ended) if ended else ""
    return "; ".join(filter(None, (held, end, codes)))


def _set_override(request: OverrideRequest, socket: Path) -> None:
    document = query_agent(socket, request)
    until = moment(epoch_seconds() + request.seconds)
    click.echo(
        f"{request.server} is {SERVICE_TEXTS[request.action]} until {until}, by operator override"
    )
    if too_few := document.get("broken_floor"):  # an older agent does not say
        click.echo(f"attention: {too_few}")


def _override_options(command: F) -> F:
    for decorate in (
        socket_option,
        click.option(
            "--reason",
            type=ReasonText(),
            required=True,
            help="Reason for the override; `status` shows it.",
        ),
        click.option(
            "--for",
            "seconds",
            type=DurationText(),
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
def drain_command(server: str, seconds: float, reason: str, socket: Path, force: bool) -> None:
    """Send no new connections to a server.

    Open connections continue, if HAProxy or misc_dynamic of keepalived is used.
    """
    _set_override(OverrideRequest(server, "drain", seconds, reason, force), socket)


@click.command("force-in")
@_override_options
def force_in_command(server: str, seconds: float, reason: str, socket: Path) -> None:
    """Keep a server in service, whatever the checks find."""
    _set_override(OverrideRequest(server, "in", seconds, reason), socket)


@click.command("force-out")
@_override_options
@force_option
def force_out_command(server: str, seconds: float, reason: str, socket: Path, force: bool) -> None:
    """Take a server out of service, whatever the checks find."""
    _set_override(OverrideRequest(server, "out", seconds, reason, force), socket)


@click.command("undrain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@socket_option
def undrain_command(server: str, socket: Path) -> None:
    """Remove an override: drain, force-in or force-out.

    The agent decides again.
    """
    query_agent(socket, RemoveOverrideRequest(server))
    click.echo(f"{server}: the agent decides again")


@click.command("baseline")
@click.argument("cluster", metavar="CLUSTER", shell_complete=complete)
@socket_option
@format_option
def baseline_command(cluster: str, socket: Path, form: str) -> None:
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
    document = query_agent(socket, BaselineRequest(cluster))
    if form == "json":
        click.echo(json.dumps(document, indent=2))
        return
    for each in document["baselines"]:
        click.echo(f"{cluster}: new baseline of {each['check']}: {each['summary']}")


def _epoch(text: str) -> float:
    try:
        at = datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a time, such as 2026-11-23T03:12") from error
    # `history` prints whole milliseconds: include the change at this one.
    return at + MILLISECOND
