"""`ldaphealth content diff`: run the comparison, and print and write its result."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import click

from ldaphealth.cli.printed_table import print_table
from ldaphealth.cli.progress import show_progress
from ldaphealth.cli.targets import select
from ldaphealth.files import atomic_file
from ldaphealth.survey import StoppedError
from ldaphealth.tables.content_report import content_document, ldif
from ldaphealth.tables.content_table import render_differences
from ldaphealth.tasks.content_diff import ContentDiff, DiffOptions

DIFFERENT, NOT_COMPARED, INTERRUPTED = 1, 3, 130


def compare_contents(
    cluster: str, config_file: Path, wanted: DiffOptions, output: Path | None, form: str
) -> int:
    """Compare all entries of a cluster, print and write the result, and return the exit status."""
    directory = output.parent if output else Path()
    if not os.access(directory, os.W_OK):
        raise click.UsageError(f"--output: cannot write to {directory}")
    comparison = _comparison(cluster, config_file, wanted)
    began = monotonic()
    _run(comparison, wanted.resume_file)
    seconds = monotonic() - began
    report = content_document(cluster, comparison.compared, comparison.progress, seconds)
    if form == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    if output:
        _write(output, report)
    if report["different"]:
        return DIFFERENT
    progress = comparison.progress
    return NOT_COMPARED if progress.not_compared or progress.unreadable else 0


def _comparison(cluster: str, config_file: Path, wanted: DiffOptions) -> ContentDiff:
    (found,) = select([cluster], config_file, None).clusters
    if cluster != found.name:
        raise click.UsageError(f"{cluster} is a server; name its cluster, {found.name}")
    if len(found.data_servers) < 2:  # noqa: PLR2004
        problem = f"cluster {cluster} needs two servers to be compared"
        raise click.UsageError(f"{config_file}: {problem}")
    try:
        return ContentDiff(found, wanted)
    except ValueError as error:
        raise click.UsageError(f"--resume: {error}") from error


def _run(comparison: ContentDiff, resume_file: Path | None) -> None:
    """Run the comparison. Exit if it is interrupted."""
    try:
        with _stoppable(comparison), show_progress(_ProgressLine(comparison)):
            comparison.run()
    except StoppedError:
        stopped = f"ldaphealth: interrupted after {comparison.progress.cursor.part:.0%}"
        hint = "use --resume FILE to save the progress"
        if resume_file:
            hint = "run the same command again to continue"
        click.echo(f"{stopped}; {hint}", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        raise click.ClickException(f"{resume_file}: {error.strerror}") from error


class _ProgressLine:
    """The progress of a comparison, for a terminal."""

    def __init__(self, comparison: ContentDiff) -> None:
        self._comparison, self._began = comparison, monotonic()

    def __rich__(self) -> str:
        """Return one line: the part that is done, and the entries read from each server."""
        read = ", ".join(f"{each.server.name} {each.rows:,}" for each in self._comparison.readers)
        part, seconds = self._comparison.progress.cursor.part, monotonic() - self._began
        return f"{part:.0%} compared, {seconds:.0f} s; entries read: {read}"


@contextmanager
def _stoppable(comparison: ContentDiff) -> Iterator[None]:
    """Let the first Ctrl-C stop it after the current page, and the second one at once."""

    def stop(number: int, _: object) -> None:
        comparison.stop()
        signal.signal(number, before[number])

    before = {int(each): signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(report: Mapping[str, Any]) -> None:
    print_table(render_differences(report))


def _write(output: Path, report: Mapping[str, Any]) -> None:
    is_ldif = output.suffix.lower() == ".ldif"
    text = ldif(report) if is_ldif else json.dumps(report, indent=2) + "\n"
    try:
        atomic_file.write(output, text.encode(), 0o600)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
