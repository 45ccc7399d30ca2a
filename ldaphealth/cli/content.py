"""`ldaphealth content`: what the servers hold, beside what their contextCSNs say.

__main__.py loads the group when it is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from ldaphealth.cli.progress import show_progress
from ldaphealth.cli.targets import as_format, complete, config_option, select
from ldaphealth.files import atomic_file

if TYPE_CHECKING:
    from ldaphealth.tasks.content_diff import ContentDiff, DiffOptions

DIFFERENT, NOT_COMPARED, INTERRUPTED = 1, 3, 130


@click.group()
def content() -> None:
    """Find entries that differ between servers.

    Equal contextCSNs hide such entries.
    """


@content.command()
@click.argument("cluster", shell_complete=complete)
@config_option
@click.option(
    "--entries-per-second",
    type=click.FloatRange(1, 1_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Read so many entries of each server in a second, at most.",
)
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long a server may take to receive what others have.",
)
@click.option(
    "--most",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="List so many differences; all are counted.",
)
@click.option(
    "--resume",
    "resume_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep in FILE how far it came, and go on from there when interrupted. Removed at the end.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the result to FILE: as LDIF if its name ends with .ldif, else as JSON.",
)
@as_format
def diff(  # noqa: PLR0913, PLR0917  options
    cluster: str,
    config_file: Path,
    entries_per_second: float,
    wait_seconds: float,
    most: int,
    resume_file: Path | None,
    output: Path | None,
    form: str,
) -> None:
    """Compare every entry on all servers of CLUSTER.

    It compares entryUUID and entryCSN, while writes go on, and reads with the account of the
    configuration. An entry counts as different only if
    it still is, in the same way, after every server was seen to receive what the others have.

    \b
    Exit status: 0 no difference, 1 differences, 3 bad input or a server could not be compared.

    \b
    Examples:
      ldaphealth content diff example
      ldaphealth content diff example --entries-per-second 500 --resume ~/example.resume
      ldaphealth content diff example --output differences.ldif
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.tables.content_report import content_document  # noqa: PLC0415
    from ldaphealth.tasks.content_diff import DiffOptions  # noqa: PLC0415  loads ldap3

    place = output.parent if output else Path()
    if not os.access(place, os.W_OK):
        raise click.UsageError(f"--output: you cannot write to {place}")
    wanted = DiffOptions(entries_per_second, wait_seconds, most, resume_file)
    comparison = _comparison(cluster, config_file, wanted)
    began = monotonic()
    _run(comparison, resume_file)
    servers, seconds = [*comparison.servers], monotonic() - began
    report = content_document(cluster, comparison.suffix, servers, comparison.progress, seconds)
    if form == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    if output:
        _write(output, report)
    if report["different"]:
        sys.exit(DIFFERENT)
    sys.exit(NOT_COMPARED if comparison.progress.not_compared else 0)


def _comparison(cluster: str, config_file: Path, wanted: DiffOptions) -> ContentDiff:
    from ldaphealth.tasks.content_diff import ContentDiff  # noqa: PLC0415  loads ldap3

    (found,) = select([cluster], config_file, None).clusters
    if cluster != found.name:
        raise click.UsageError(f"{cluster} is a server; name its cluster, {found.name}")
    if not found.servers[0].suffix or len(found.servers) < 2:  # noqa: PLR2004
        problem = f"cluster {cluster} needs a suffix and two servers to be compared"
        raise click.UsageError(f"{config_file}: {problem}")
    try:
        return ContentDiff(found, wanted)
    except ValueError as error:
        raise click.UsageError(f"--resume: {error}") from error


def _run(comparison: ContentDiff, resume_file: Path | None) -> None:
    """Compare; exit when interrupted."""
    from ldaphealth.survey import StoppedError  # noqa: PLC0415  loads lazily

    try:
        with _stoppable(comparison), show_progress(_Drawn(comparison)):
            comparison.run()
    except StoppedError:
        how_far = f"ldaphealth: interrupted after {comparison.progress.cursor.part:.0%}"
        how_on = "the same command goes on from there" if resume_file else "--resume FILE keeps it"
        click.echo(f"{how_far}; {how_on}", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        raise click.ClickException(f"{resume_file}: {error.strerror}") from error


class _Drawn:
    """How far it is, for a terminal."""

    def __init__(self, comparison: ContentDiff) -> None:
        self._comparison, self._began = comparison, monotonic()

    def __rich__(self) -> str:
        """Return one line: the part, and the entries read of each server."""
        read = ", ".join(f"{each.server.name} {each.rows:,}" for each in self._comparison.readers)
        part, seconds = self._comparison.progress.cursor.part, monotonic() - self._began
        return f"{part:.0%} compared, {seconds:.0f} s; entries read: {read}"


@contextmanager
def _stoppable(comparison: ContentDiff) -> Iterator[None]:
    """Let the first Ctrl-C end it between two pages, and the second one at once."""

    def ask(number: int, _: object) -> None:
        comparison.stop()
        signal.signal(number, before[number])

    before = {int(each): signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(report: Mapping[str, Any]) -> None:
    from ldaphealth.tables.content_table import drawn_differences  # noqa: PLC0415  loads rich
    from ldaphealth.tables.terminal import as_text  # noqa: PLC0415

    width = shutil.get_terminal_size((100, 24)).columns
    click.echo(as_text(drawn_differences(report), width=width, colour=sys.stdout.isatty()))


def _write(output: Path, report: Mapping[str, Any]) -> None:
    from ldaphealth.tables.content_report import ldif  # noqa: PLC0415  loads lazily

    is_ldif = output.suffix.lower() == ".ldif"
    text = ldif(report) if is_ldif else json.dumps(report, indent=2) + "\n"
    try:
        atomic_file.write(output, text.encode(), 0o600)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
