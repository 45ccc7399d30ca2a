"""`ldaphealth backtest`: what other settings would have decided, from what the agent saw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaphealth.cli.incident import incidents_option
from ldaphealth.cli.option_types import MomentText
from ldaphealth.cli.options import CONFIG_FILE, READ_PATH, complete, format_option
from ldaphealth.cli.printed_table import ascii_only, print_table
from ldaphealth.cli.tried_settings import Trying, tried
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.history.incident import Incident
    from ldaphealth.settings import Cluster, Settings
    from ldaphealth.store.journal_files import Segment

    Journal = Mapping[str, Sequence[Segment]]  # by cluster
    Others = Mapping[str, Settings]  # by their labels


@click.command("backtest")
@click.argument("cluster", metavar="[CLUSTER]", default="", shell_complete=complete)
@click.option(
    "--config",
    "config_files",
    type=READ_PATH,
    multiple=True,
    envvar="LDAPHEALTH_CONFIG",
    show_envvar=True,
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
@click.option(
    "--suggest",
    "setting",
    default="",
    metavar="CHECK.SETTING",
    help="Compare thresholds of a setting, such as search.seconds, from a quarter to five times of "
    "those in the first --config.",
)
@incidents_option
@format_option
def backtest_command(
    cluster: str, config_files: tuple[Path, ...], directory: Path | None, **given: Any
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

    With --suggest it compares thresholds of one setting from strict to lenient, and says which had
    the fewest removals outside of incidents and found the most incidents.

    \b
    Exit status: 0 shown, 3 bad input, or the journal has nothing of that time.

    \b
    Examples:
      ldaphealth backtest --config new.yaml --since 7d
      ldaphealth backtest example --config strict.yaml --config lenient.yaml
      ldaphealth backtest --suggest search.seconds
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent.replay import ALWAYS, TimeSpan
    from ldaphealth.store.journal_files import segments_of_all

    others = _loaded(config_files or (CONFIG_FILE,))
    place = directory or next(iter(others.values())).agent.state_directory
    found = segments_of_all(place)
    if not found:
        raise click.ClickException(f"there is no journal in {place}; --journal DIRECTORY names one")
    if cluster and cluster not in found:
        hint = suggestion(cluster, [*found])
        raise click.ClickException(f"the journal has no cluster {cluster!r}{hint}")
    wanted = {name: of for name, of in found.items() if cluster in ("", name)}
    until = ALWAYS.until if given["until"] is None else given["until"]
    period, incidents = TimeSpan(given["since"], until), _incidents(place, given["file"])
    if given["setting"]:
        documents = _suggested(
            wanted, next(iter(others.values())), given["setting"], incidents, period
        )
    else:
        documents = tried(wanted, Trying(partial(_of_cluster, others), incidents, period))
    if not documents:
        raise click.ClickException(f"the journal in {place} has nothing of that time")
    if given["form"] == "json":
        click.echo(json.dumps(documents, indent=2))
        return
    _print(documents)


def _of_cluster(others: Others, name: str) -> dict[str, Cluster]:
    return {
        label: settings.clusters[name]
        for label, settings in others.items()
        if name in settings.clusters
    }


def _suggested(
    wanted: Journal,
    settings: Settings,
    setting: str,
    incidents: Sequence[Incident],
    period: TimeSpan,
) -> list[dict[str, Any]]:
    """Return for each cluster the candidates of a setting; click.ClickException: it has none."""
    from ldaphealth.backtest.candidates import candidates, suggestion_document

    try:
        found = {
            name: {str(place): each for place, each in enumerate(candidates(cluster, setting))}
            for name, cluster in settings.clusters.items()
            if name in wanted
        }
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--suggest'") from error
    others = {name: {key: each.cluster for key, each in of.items()} for name, of in found.items()}
    documents = tried(wanted, Trying(lambda name: others.get(name, {}), incidents, period))
    return [
        suggestion_document(each, setting, [*found[each["cluster"]].values()]) for each in documents
    ]


def _print(documents: Sequence[Mapping[str, Any]]) -> None:
    from ldaphealth.tables.backtest_table import render_backtest
    from ldaphealth.tables.suggestion_table import render_suggestion

    for number, each in enumerate(documents):
        click.echo("\n" if number else "", nl=False)
        print_table(
            render_suggestion(each)
            if "candidates" in each
            else render_backtest(each, ascii_only=ascii_only())
        )


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
