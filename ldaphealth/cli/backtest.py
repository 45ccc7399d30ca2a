"""`ldaphealth backtest`: what other settings would have decided, from what the agent saw."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ldaphealth.cli.incident import incidents_option
from ldaphealth.cli.option_types import MomentText
from ldaphealth.cli.options import CONFIG_FILE, READ_PATH, complete, format_option
from ldaphealth.cli.printed_table import print_table
from ldaphealth.cli.progress import show_progress
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import quantity
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.history.incident import Incident
    from ldaphealth.settings import Settings
    from ldaphealth.store.journal_files import Segment

    Others = Mapping[str, Settings]  # by their labels

PUBLISHED = "as it was"


class _Trying(NamedTuple):
    """What is tried, by which incidents, and on which time."""

    others: Others
    incidents: Sequence[Incident]
    period: TimeSpan


class _Progress:
    """The segments that were read."""

    def __init__(self, segments: int) -> None:
        self._segments, self._done = segments, 0
        self._started = monotonic()

    def note(self) -> None:
        """Count one that is done."""
        self._done += 1

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        passed = monotonic() - self._started
        of = quantity(self._segments, "segment")
        left = passed * (self._segments - self._done) / self._done if self._done else 0.0
        return f"{self._done} of {of} judged, about {duration(left)} left"


@click.command("backtest")
@click.argument("target", metavar="[CLUSTER]", default="", shell_complete=complete)
@click.option(
    "--config",
    "config_files",
    type=READ_PATH,
    multiple=True,
    metavar="FILE",
    help="Configuration with the other settings; may be given several times.  [default: "
    f"{CONFIG_FILE}]",
)
@click.option(
    "--journal",
    "directory",
    type=READ_PATH,
    metavar="DIRECTORY",
    help="State directory of the agent.  [default: that of the first --config]",
)
@click.option(
    "--since",
    type=MomentText(),
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Judge what was seen from this moment on.",
)
@click.option("--until", type=MomentText(), metavar="TIME", help="And up to this moment.")
@incidents_option
@format_option
def backtest_command(
    target: str, config_files: tuple[Path, ...], directory: Path | None, **given: Any
) -> None:
    """Show what other settings would have decided.

    The agent keeps all that it saw in its journal (`agent.journal` in the configuration). This
    command judges that again by the settings of another file, and shows what was decided beside
    what would have been: removals, time out of service, and CRITICAL states. It uses no network,
    and the agent may run meanwhile. A TIME is in UTC, such as 2026-11-23T03:12Z, or how long ago.

    Only what judges counts: thresholds, effects, `settle` and `min_in_service`. A setting that
    would have probed otherwise cannot be tried; the output names it.

    Incidents that were marked (`ldaphealth incident add`) say which outages were right: with them
    the output has how many were found and how soon, and the sensitivity, specificity and predictive
    value of the outages, with their 95 % confidence intervals (docs/backtest.md).

    \b
    Exit status: 0 shown, 3 bad input, or the journal has nothing of that time.

    \b
    Examples:
      ldaphealth backtest --config new.yaml --since 7d
      ldaphealth backtest example --config strict.yaml --config lenient.yaml
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent.replay import ALWAYS, TimeSpan
    from ldaphealth.store.journal_files import segments_by_cluster

    others = _loaded(config_files or (CONFIG_FILE,))
    place = directory or next(iter(others.values())).agent.state_directory
    found = segments_by_cluster(place)
    if not found:
        raise click.ClickException(f"there is no journal in {place}; --journal DIRECTORY names one")
    if target and target not in found:
        hint = suggestion(target, [*found])
        raise click.ClickException(f"the journal has no cluster {target!r}{hint}")
    wanted = {name: of for name, of in found.items() if target in ("", name)}
    until = ALWAYS.until if given["until"] is None else given["until"]
    trying = _Trying(others, _incidents(place, given["file"]), TimeSpan(given["since"], until))
    documents = _backtested(wanted, trying)
    if not documents:
        raise click.ClickException(f"the journal in {place} has nothing of that time")
    if given["form"] == "json":
        click.echo(json.dumps(documents, indent=2))
        return
    from ldaphealth.tables.backtest_table import render_backtest

    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    for number, each in enumerate(documents):
        click.echo("\n" if number else "", nl=False)
        print_table(render_backtest(each, ascii_only=plain))


def _loaded(paths: Sequence[Path]) -> Others:
    """Return the settings of each file, by a short name; click.ClickException lists mistakes."""
    from ldaphealth.config import ConfigError, load_without_files

    names = {path: path.stem for path in paths}
    if len(set(names.values())) < len(names):
        names = {path: str(path) for path in paths}
    found: dict[str, Settings] = {}
    for path, name in names.items():
        try:
            found[name] = load_without_files(path)
        except ConfigError as error:
            lines = "\n".join(f"{path}: {each}" for each in error.problems)
            raise click.ClickException(lines) from error
    return found


def _incidents(directory: Path, file: Path | None) -> list[Incident]:
    """Return the incidents of a file, or those that the agent keeps; click.ClickException."""
    from ldaphealth.store.incident_file import (
        IncidentError,
        IncidentFile,
        incident_path,
        read_incidents,
    )

    try:
        return (
            IncidentFile(incident_path(directory)).read() if file is None else read_incidents(file)
        )
    except IncidentError as error:
        raise click.ClickException(str(error)) from error


def _backtested(wanted: Mapping[str, Sequence[Segment]], trying: _Trying) -> list[dict[str, Any]]:
    from ldaphealth.agent.replay import within

    found = {name: within(of, trying.period) for name, of in wanted.items()}
    progress = _Progress(sum(map(len, found.values())))
    documents = []
    with show_progress(progress):
        for name, of in found.items():
            document = _of_cluster(name, of, trying, progress)
            documents += [document] if document else []
    return documents


def _of_cluster(
    name: str, found: Sequence[Segment], trying: _Trying, progress: _Progress
) -> dict[str, Any] | None:
    """Return what was decided on a cluster, and would have been; None: nothing in the period."""
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.backtest.backtest import Backtest
    from ldaphealth.backtest.document import Side, backtest_document
    from ldaphealth.backtest.trial import Trial
    from ldaphealth.checks import find

    trials = {
        label: Trial(settings.clusters[name])
        for label, settings in trying.others.items()
        if name in settings.clusters
    }
    backtest = Backtest([*trials.values()], find)
    backtest.read(found, progress.note)
    published = backtest.published
    if published.first is None or published.last is None:
        return None
    span = TimeSpan(
        max(trying.period.since, published.first), min(trying.period.until, published.last)
    )
    if span.since >= span.until:
        return None
    sides = [Side(PUBLISHED, published.course)]
    sides += [Side(label, of.course, tuple(of.left_out)) for label, of in trials.items()]
    return {
        **backtest_document(name, sides, trying.incidents, span),
        "segments": published.segments,
        "calm_segments": published.calm,
        "problems": published.problems,
    }
