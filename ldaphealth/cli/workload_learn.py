"""`ldaphealth workload learn`: read the sources, and write and print what was learnt."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import click
from msgspec import Struct

from ldaphealth.cli.by_url import url_selection
from ldaphealth.cli.url_options import UrlOptions
from ldaphealth.cli.workload_show import print_workload
from ldaphealth.config.yaml_file import MAX_BYTES
from ldaphealth.files import atomic_file
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.text.quantity import quantity
from ldaphealth.workload.accesslog import read_accesslog
from ldaphealth.workload.file_text import workload_text
from ldaphealth.workload.learner import Learner
from ldaphealth.workload.learnt import NothingLearntError, learnt_workload
from ldaphealth.workload.log_file import LogFileError, chunks_of_lines, oldest_first
from ldaphealth.workload.shape import Workload

STANDARD_INPUT = "-"
URLS = ("ldap://", "ldaps://", "ldapi://")
NOTHING = (
    "no operation was found; a log of slapd has them with `loglevel stats`, and cn=accesslog with "
    "`logops reads`, for an account that may read it"
)
RARE = "no shape has {at_least}; the sources have {operations} (--at-least)"


class LearnOptions(Struct, frozen=True, kw_only=True):
    """The options of `workload learn`."""

    output: Path
    at_least: int
    most: int
    keep_values: bool
    entries: int
    log_base: str
    access: UrlOptions


class Progress(Protocol):
    """Gets how many more bytes or entries were read."""

    def update(self, n_steps: int) -> None:
        """Add that many."""


class NoProgress:
    """Shows nothing, without a terminal."""

    def update(self, n_steps: int) -> None:
        """Show nothing."""


def learn_workload(sources: Iterable[str], wanted: LearnOptions, form: str) -> int:
    """Learn from all sources, write the workload, print it, and return the exit status."""
    if wanted.output.exists():
        hint = "move it away, or name another file with --output"
        raise click.UsageError(f"{wanted.output} exists; {hint}")
    workload = _learnt(_read_all([*dict.fromkeys(sources)], wanted), wanted)
    content = workload_text(workload).encode()
    if len(content) > MAX_BYTES:
        raise click.ClickException(
            f"the file would have {len(content):,} bytes: use a lower --most"
        )
    try:
        atomic_file.write(wanted.output, content, 0o600)
    except OSError as error:
        raise click.ClickException(f"{wanted.output}: {error.strerror}") from error
    print_workload(workload, form)
    if form == "text":
        click.echo(f"\nwrote {wanted.output} for review; this shows and checks it again:")
        click.echo(f"ldaphealth workload show {wanted.output}")
    return 0


def _learnt(learner: Learner, wanted: LearnOptions) -> Workload:
    try:
        return learnt_workload(learner, wanted.at_least, wanted.most)
    except NothingLearntError as error:
        reads = sum(tally.count for tally in learner.shapes.values())
        rare = RARE.format(at_least=quantity(wanted.at_least, "operation"), operations=reads)
        raise click.ClickException(rare if reads else NOTHING) from error


def _read_all(sources: list[str], wanted: LearnOptions) -> Learner:
    learner = Learner(keep_values=wanted.keep_values)
    urls = [each for each in sources if each.startswith(URLS)]
    servers = url_selection(urls, wanted.access, None).clusters[0].servers if urls else ()
    names = [Path(each) for each in sources if each not in urls and each != STANDARD_INPUT]
    try:
        paths = oldest_first(names)
        for path in paths:
            with (
                path.open("rb") as file,
                _progress(path.name, path.stat().st_size) as progress,
            ):
                _read(file, str(path), learner, progress)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    if STANDARD_INPUT in sources:
        with open(sys.stdin.fileno(), "rb", closefd=False) as file:
            _read(file, "standard input", learner, NoProgress())
    for server in servers:
        try:
            with _progress(server.name, wanted.entries) as progress:
                read_accesslog(server, wanted.log_base, wanted.entries, learner, progress.update)
        except SessionError as error:
            raise click.ClickException(f"{server.uri}: {error.failure.detail}") from error
    learner.finish()
    return learner


def _read(file: BufferedReader, name: str, learner: Learner, progress: Progress) -> None:
    """Learn from a file; what is damaged in it is reported and not read."""
    try:
        for lines in chunks_of_lines(file, progress.update):
            for line in lines:
                learner.read(line)
    except LogFileError as error:
        click.echo(f"ldaphealth: {name}: {error}; what stands before was read", err=True)


@contextmanager
def _progress(label: str, length: int) -> Iterator[Progress]:
    """Show a progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield NoProgress()
        return
    with click.progressbar(length=max(length, 1), label=label, file=sys.stderr) as bar:
        yield bar
