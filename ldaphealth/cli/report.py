"""`ldaphealth report`: what happened in a period, as one document for a ticket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.incident import incidents_option
from ldaphealth.cli.option_types import MomentText
from ldaphealth.cli.options import AgentPlace, agent_options, complete, output_option
from ldaphealth.clocks import epoch_seconds
from ldaphealth.text.moment import moment


@click.command("report")
@click.argument("target", metavar="[CLUSTER[/SERVER]]", default="", shell_complete=complete)
@click.option(
    "--since",
    type=MomentText(),
    default="24h",
    show_default=True,
    metavar="TIME",
    help="From this time on, in UTC unless it has another offset, such as 2026-11-23T03:12Z, or "
    "how long ago.",
)
@click.option("--until", type=MomentText(), metavar="TIME", help="Up to this time.  [default: now]")
@click.option(
    "--no-observations",
    "is_short",
    is_flag=True,
    help="Do not compute from the journal what was seen, which takes seconds for each outage.",
)
@incidents_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="Output format.",
)
@output_option
@agent_options
def report_command(target: str, place: AgentPlace, **given: Any) -> None:
    """Write what happened in a period, for a ticket.

    One document in Markdown: how long each server was in service; each outage with what was found,
    what the agent saw then, and how long operations took before, meanwhile and after; overrides and
    who ordered them; what the guard held, and why; all changes in one order; incidents that were
    marked (`ldaphealth incident`), and how soon they were found; starts of the agent; and what to
    do about each reason. What is too much is left out, and it says what.

    While no agent runs, the history on disk of the agent of --config is read. What was seen is
    computed from its journal (`ldaphealth replay --help`).

    \b
    Exit status: 0 written, 3 bad input, no such server, or no answer and no
                 history.

    \b
    Examples:
      ldaphealth report
      ldaphealth report example/ldap2 --since 2026-11-23T03:00Z \\
          --until 2026-11-23T05:00Z --output ldap2.md
      ldaphealth report example --since 7d --no-observations
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.past_outages import ReportStage
    from ldaphealth.cli.past_report import ReportRange, past_report
    from ldaphealth.cli.progress import show_progress

    now = epoch_seconds()
    until = now if given["until"] is None else min(given["until"], now)
    if given["since"] >= until:
        raise click.UsageError(f"--since {moment(given['since'])} is not before {moment(until)}")
    wanted = ReportRange(
        target=target,
        since=given["since"],
        until=until,
        file=given["file"],
        has_observations=not given["is_short"],
    )
    stage = ReportStage()
    with show_progress(stage):
        document = past_report(place, wanted, stage)
    _write(document, given["form"], given["output"])


def _write(document: dict[str, Any], form: str, output: Path | None) -> None:
    from ldaphealth.report.markdown import markdown

    text = json.dumps(document, indent=2) + "\n" if form == "json" else markdown(document)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
