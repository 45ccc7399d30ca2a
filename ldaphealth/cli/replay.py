"""`ldaphealth replay`: compute the published verdicts again, from what the agent saw."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaphealth import __version__
from ldaphealth.cli.option_types import MomentText
from ldaphealth.cli.options import complete, config_option, format_option
from ldaphealth.cli.progress import Counting, show_progress
from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.moment import moment
from ldaphealth.text.quantity import quantity
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.agent.replay import ChangedVerdict, Replayed, TimeSpan
    from ldaphealth.model import Verdict
    from ldaphealth.store.journal_files import Segment

    Journal = Mapping[str, Sequence[Segment]]  # by cluster

MOST_LINES = 20  # of differences, in the text


class _Progress(Counting):
    """The segments that were replayed."""

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        of = quantity(self.count, "segment")
        return f"{self.done} of {of} replayed, {self.seconds():.0f} s"


@click.command("replay")
@click.option("--since", type=MomentText(), metavar="TIME", help="Compare from this moment on.")
@click.option("--until", type=MomentText(), metavar="TIME", help="Compare up to this moment.")
@click.option(
    "--server",
    "targets",
    multiple=True,
    metavar="CLUSTER[/SERVER]",
    shell_complete=complete,
    help="Compare this cluster or server only; may be given several times.",
)
@config_option
@format_option
def replay_command(
    since: EpochSeconds | None,
    until: EpochSeconds | None,
    targets: tuple[str, ...],
    config_file: Path,
    form: str,
) -> None:
    """Compute published verdicts again, and compare them.

    The agent keeps all that it saw in its journal (`agent.journal` in the configuration), with the
    settings of that time. This command reads it, also while the agent runs, and uses no network. A
    TIME is in UTC, such as 2026-11-23T03:12Z, or how long ago, such as 24h.

    A difference means that the rules or the checks of this version judge otherwise than those of
    the version that wrote the journal.

    \b
    Examples:
      ldaphealth replay --since 24h
      ldaphealth replay --server example/ldap2 --since 2026-11-23T03:00Z \\
        --until 2026-11-23T04:00Z

    \b
    Exit status: 0 all verdicts are the same, 1 at least one is not,
                 3 there is nothing to compare.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent.replay import ALWAYS, TimeSpan

    directory, journal = _journal_of(config_file)
    period = TimeSpan(
        ALWAYS.since if since is None else since, ALWAYS.until if until is None else until
    )
    results = _replayed(journal, _named(journal, targets), period)
    _refuse_unknown(targets, results)
    if form == "json":
        click.echo(json.dumps([_document(each) for each in results], indent=2))
    else:
        click.echo("\n".join(line for each in results for line in _lines(each)))
    if not any(each.decisions for each in results):
        raise click.ClickException(f"{directory} has no decision to compare in that time")
    sys.exit(1 if any(each.different for each in results) else 0)


def _refuse_unknown(targets: Sequence[str], results: Sequence[Replayed]) -> None:
    """Raise click.ClickException if a server was not configured in the time that was replayed."""
    known = sorted(server for each in results for server in each.servers)
    for each in targets:
        if "/" in each and known and each not in known:
            hint = suggestion(each, known)
            raise click.ClickException(f"the journal has no server {each!r} in that time{hint}")


def _journal_of(config_file: Path) -> tuple[Path, Journal]:
    """Return the directory of the journal, and what is in it; click.ClickException without one."""
    from ldaphealth.config import ConfigError, load_agent
    from ldaphealth.store.journal_files import segments_of_all

    try:
        settings = load_agent(config_file)
    except ConfigError as error:
        lines = "\n".join(f"{config_file}: {each}" for each in error.problems)
        raise click.ClickException(lines) from error
    directory = settings.state_directory
    found = segments_of_all(directory)
    if not found:
        why = "" if settings.journal.days else "; agent.journal.days is 0"
        raise click.ClickException(f"there is no journal in {directory}{why}")
    return directory, found


def _named(journal: Journal, targets: Sequence[str]) -> dict[str, list[str]]:
    """Return the servers to compare by cluster, none of a cluster: all of them."""
    wanted: dict[str, list[str]] = {} if targets else {name: [] for name in journal}
    for each in targets:
        name, _, server = each.partition("/")
        if name not in journal:
            hint = suggestion(name, [*journal])
            raise click.ClickException(f"the journal has no cluster {name!r}{hint}")
        wanted.setdefault(name, []).extend([each] if server else [])
    return wanted


def _replayed(
    journal: Journal, wanted: Mapping[str, Sequence[str]], period: TimeSpan
) -> list[Replayed]:
    from ldaphealth.agent.replay import Compared, Replayed, replay, within
    from ldaphealth.checks import find

    found = {name: within(journal[name], period) for name in wanted}
    progress = _Progress(sum(map(len, found.values())))
    results = [Replayed(cluster=name) for name in wanted]
    with show_progress(progress):
        for result in results:
            for each in found[result.cluster]:
                replay(result, each, find, Compared(period, wanted[result.cluster]))
                progress.note()
    return results


def _lines(result: Replayed) -> list[str]:
    """Return what was compared, and what differs."""
    if result.first is None or result.last is None:
        lines = [f"{result.cluster}: nothing to compare"]
    else:
        compared = (
            f"{quantity(result.verdicts, 'verdict')} in {quantity(result.decisions, 'decision')}"
        )
        span = f"{moment(result.first)} to {moment(result.last)}"
        end = (
            f"{quantity(result.different, 'difference')}"
            if result.different
            else "all are the same"
        )
        lines = [f"{result.cluster}: {compared}, {span}: {end}"]
    written = result.programs - {__version__}
    if written:
        lines.append(f"  written by ldaphealth {', '.join(sorted(written))}")
    lines += [f"  not read to its end: {path}: {why}" for path, why in result.problems.items()]
    lines += [f"  {_difference_line(each)}" for each in result.differences[:MOST_LINES]]
    if result.different > MOST_LINES:
        lines.append(f"  and {quantity(result.different - MOST_LINES, 'other difference')}")
    return lines


def _difference_line(each: ChangedVerdict) -> str:
    published, computed = map(_verdict_text, (each.published, each.computed))
    if published == computed:
        computed = "the same, but for numbers or texts of its findings"
    return f"{moment(each.at)} {each.server}: published: {published}; computed: {computed}"


def _verdict_text(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none"
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    codes = "".join(f" {reason.code}" for reason in verdict.reasons)
    service = "in service" if verdict.in_service else "out of service"
    return f"{service}, {verdict.state.name}{held}{codes}"


def _document(result: Replayed) -> dict[str, Any]:
    return {
        "cluster": result.cluster,
        "decisions": result.decisions,
        "verdicts": result.verdicts,
        "first": None if result.first is None else moment(result.first, "milliseconds"),
        "last": None if result.last is None else moment(result.last, "milliseconds"),
        "different": result.different,
        "differences": [
            {
                "at": moment(each.at, "milliseconds"),
                "server": each.server,
                "published": _verdict_document(each.published),
                "computed": _verdict_document(each.computed),
            }
            for each in result.differences
        ],
        "problems": result.problems,
        "written_by": sorted(result.programs),
    }


def _verdict_document(verdict: Verdict | None) -> dict[str, Any] | None:
    from ldaphealth.sinks.json_document import verdict_document

    return None if verdict is None else verdict_document(verdict)
