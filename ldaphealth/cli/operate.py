"""Questions to the running agent and words of an operator: status, explain, history, drain.

All of them go through the agent's socket, load no ldap3 and answer in milliseconds.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldaphealth.cli.ask_agent import ask_agent
from ldaphealth.cli.options import as_format, as_socket, complete
from ldaphealth.clocks import epoch_seconds
from ldaphealth.control.requests import (
    MAX_REASON_CHARACTERS,
    MAX_SECONDS,
    ExplainRequest,
    HistoryRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.model import OverrideAction

if TYPE_CHECKING:
    from ldaphealth.control.explanation import GuardedDocument

DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
UNIT_SECONDS = (86400, 3600, 60, 1)
WATCH_SECONDS = 1.0
MILLISECOND = 0.001
SIDES: Mapping[OverrideAction, str] = {
    "drain": "draining",
    "in": "in service",
    "out": "out of service",
}

F = TypeVar("F", bound=Callable[..., object])


class DurationText(click.ParamType[float]):
    """A time as people write it: `90`, `90s`, `30m`, `2h30m`, `1d`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        match = DURATION.fullmatch(str(value)) if value else None
        seconds = sum(
            int(number or 0) * unit
            for number, unit in zip(match.groups() if match else (), UNIT_SECONDS, strict=False)
        )
        if not 0 < seconds <= MAX_SECONDS:
            self.fail(f"{value!r} is no time up to 30d; write 45m, 2h30m or 1d", param, ctx)
        return float(seconds)


class ReasonText(click.ParamType[str]):
    """A sentence that fits."""

    name = "text"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return it."""
        if len(str(value)) > MAX_REASON_CHARACTERS:
            self.fail(f"at most {MAX_REASON_CHARACTERS} characters", param, ctx)
        return str(value)


@click.command("status")
@as_socket
@as_format
@click.option("--watch", is_flag=True, help="Show it anew every second, until interrupted.")
def status_command(socket: Path, form: str, watch: bool) -> None:
    """Show the verdicts of the running agent.

    And what holds them, how the agent itself is, and where it is asked by TCP.

    Exit status: 0 every server is in service, 1 at least one is out, 3 no answer.
    """
    document = ask_agent(socket, StatusRequest())
    if form == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        _draw_status(document, socket, watch=watch)
    sys.exit(0 if all(each["in_service"] for each in document["verdicts"]) else 1)


def _draw_status(document: Mapping[str, Any], socket: Path, *, watch: bool) -> None:
    from ldaphealth.tables.status_table import drawn_status  # rich
    from ldaphealth.tables.terminal import as_text, watched

    if watch and sys.stdout.isatty():
        watched(lambda: drawn_status(ask_agent(socket, StatusRequest())), WATCH_SECONDS)
    else:
        width, colour = shutil.get_terminal_size((100, 24)).columns, sys.stdout.isatty()
        click.echo(as_text(drawn_status(document), width=width, colour=colour))


@click.command("explain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@click.option(
    "--at",
    metavar="TIME",
    help="The verdict that held then, such as 2026-11-23T03:12 (local time).",
)
@as_socket
@as_format
def explain_command(server: str, at: str | None, socket: Path, form: str) -> None:
    """Tell why a server is in or out.

    It says what was seen, judged and guarded, in this order.

    \b
    Examples:
      ldaphealth explain example/ldap2
      ldaphealth explain example/ldap2 --at 2026-11-23T03:12
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    if at is None:
        document = ask_agent(socket, ExplainRequest(server))
        lines = explained(document)
    else:
        changes = ask_agent(socket, HistoryRequest(server, 1, _epoch(at)))["changes"]
        if not changes:
            hint = f"`ldaphealth history {server}` lists what it knows"
            raise click.ClickException(f"the history knows nothing of {server} at {at}; {hint}")
        document = changes[0]
        lines = [f"since {document['at']}", *_verdict_lines(document["verdict"])]
    click.echo(json.dumps(document, indent=2) if form == "json" else "\n".join(lines))


@click.command("history")
@click.argument("server", metavar="[CLUSTER/SERVER]", default="", shell_complete=complete)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="List so many at most.",
)
@as_socket
@as_format
def history_command(server: str, limit: int, socket: Path, form: str) -> None:
    """List the latest changes of verdict.

    The newest is first. Without CLUSTER/SERVER: those of all servers.
    """
    changes = ask_agent(socket, HistoryRequest(server, limit))["changes"]
    if form == "json":
        click.echo(json.dumps(changes, indent=2))
        return
    for change in changes:
        verdict = change["verdict"]
        side = _side(verdict).partition(" ")[0]
        codes = " ".join(reason["code"] for reason in verdict["reasons"])
        held = f"held by {verdict['held_by']} " if verdict["held_by"] else ""
        click.echo(f"{change['at']}  {side:8}  {verdict['server']}  {held}{codes}".rstrip())


def _say(will: OverrideAction, server: str, seconds: float, reason: str, socket: Path) -> None:
    ask_agent(socket, OverrideRequest(server, will, seconds, reason))
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_seconds() + seconds))
    click.echo(f"{server} is {SIDES[will]}, by your word, until {until}")


def _levers(command: F) -> F:
    for decorate in (
        as_socket,
        click.option(
            "--reason", type=ReasonText(), required=True, help="Why, for whoever asks at night."
        ),
        click.option(
            "--for",
            "seconds",
            type=DurationText(),
            required=True,
            metavar="DURATION",
            help="For how long, such as 45m, 2h30m or 1d; then the agent decides again.",
        ),
        click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete),
    ):
        command = decorate(command)
    return command


@click.command("drain")
@_levers
def drain_command(server: str, seconds: float, reason: str, socket: Path) -> None:
    """Send no new connections to a server.

    Open ones go on, where misc_dynamic of keepalived or HAProxy is used.
    """
    _say("drain", server, seconds, reason, socket)


@click.command("force-in")
@_levers
def force_in_command(server: str, seconds: float, reason: str, socket: Path) -> None:
    """Keep a server in service, whatever is seen of it."""
    _say("in", server, seconds, reason, socket)


@click.command("force-out")
@_levers
def force_out_command(server: str, seconds: float, reason: str, socket: Path) -> None:
    """Take a server out of service, whatever is seen of it."""
    _say("out", server, seconds, reason, socket)


@click.command("undrain")
@click.argument("server", metavar="CLUSTER/SERVER", shell_complete=complete)
@as_socket
def undrain_command(server: str, socket: Path) -> None:
    """Take back drain, force-in or force-out.

    The agent decides again.
    """
    ask_agent(socket, RemoveOverrideRequest(server))
    click.echo(f"{server}: the agent decides again")


def explained(document: Mapping[str, Any]) -> list[str]:
    """Return the answer to `explain` as lines: what was seen, judged, guarded."""
    lines = [f"{document['server']}  {document['uri']}", "", "SEEN in the latest round"]
    for each in document["seen"]:
        took = f"{each['duration_seconds'] * 1000:.1f} ms"
        failure = each["failure"]
        what = f"FAILED: {failure['detail']}" if failure else _facts(each["facts"])
        lines.append(f"  {each['check']:12} {took:>11}  {what}".rstrip())
    lines += ["", "JUDGED"]
    for finding in document["judged"]:
        code = f"{finding['check']}.{finding['code']}"
        lines.append(f"  {finding['state']:9} {code}: {finding['summary']} ({finding['trust']})")
    return [
        *lines,
        "",
        "GUARDED",
        *_guarded_lines(document),
        "",
        *_verdict_lines(document["verdict"]),
    ]


def _guarded_lines(document: Mapping[str, Any]) -> list[str]:
    """Return what the guard remembers of the server, and which rule holds it."""
    from ldaphealth.control.explanation import guarded_of  # the settings

    past = guarded_of(document)
    settle = past.settle
    rounds = (
        f"  {past.good_rounds} good rounds in a row (a server that is out needs {settle.rise}), "
        f"{past.bad_rounds} bad ones (it goes out after {settle.fall_hard} without LDAP service, "
        f"{settle.fall_soft} with a broken expectation)"
    )
    return [
        rounds,
        *_share_lines(past),
        f"  went out {past.went_out_lately} times lately",
        f"  held by {past.held_by}" if past.held_by else "  no rule holds it",
    ]


def _share_lines(past: GuardedDocument) -> list[str]:
    """Return what checks whose effect is `weight` made of it; nothing when all is well."""
    share, leaning = past.weight_share, past.leaning_rounds
    if share == 1.0 and not leaning:
        return []
    calls = f"; {leaning} rounds in a row call for {past.leaning_to_share:.0%}"
    return [f"  has {share:.0%} of its weight{calls if leaning else ''}"]


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())[:120]


def _side(verdict: Mapping[str, Any]) -> str:
    if verdict["in_service"]:
        return "in service"
    return "draining" if verdict["draining"] else "OUT of service"


def _verdict_lines(verdict: Mapping[str, Any]) -> list[str]:
    held = f", held by {verdict['held_by']}" if verdict["held_by"] else ""
    head = f"VERDICT  {verdict['server']} {_side(verdict)}, weight {verdict['weight']}{held}"
    reasons = [
        f"  {reason['state']:9} {reason['code']}: {reason['summary']}"
        for reason in verdict["reasons"]
    ]
    return [head, *reasons]


def _epoch(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write 2026-11-23T03:12") from error
    return moment + MILLISECOND  # `history` shows whole ones, and that moment is meant with it
