"""Read the configuration, gather the facts with a progress line, and examine them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from time import monotonic

import click

from ldaphealth.cli.config_check import wrong_files
from ldaphealth.cli.progress import show_progress
from ldaphealth.cli.targets import read_agent_config
from ldaphealth.config import ConfigError
from ldaphealth.doctor.examinations import Examination, ExaminationResult, examine
from ldaphealth.doctor.gathering import Sources, gather
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step

CHMOD = re.compile(r"; (chmod 0[0-7]{3} .+)$")  # the end of a sentence on a file with a secret


class DoctorProgress:
    """The number of servers that have answered, and of sessions."""

    def __init__(self) -> None:
        self._sessions: list[str] = []
        self._started = monotonic()

    def note(self, server: str) -> None:
        """Count a session; called by the threads that probe."""
        self._sessions.append(server)

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        seconds = monotonic() - self._started
        servers = len(set(self._sessions))
        return f"{servers} servers tried in {len(self._sessions)} sessions, {seconds:.0f} s"


def results_of(config_file: Path, keepalived: Path | None) -> list[ExaminationResult]:
    """Return what is found; one examination alone if the configuration cannot be used."""
    try:
        settings = read_agent_config(config_file)
    except ConfigError as error:
        return [_unusable(config_file, error.problems)]
    if wrong := wrong_files(settings):
        return [_unusable(config_file, [wrong])]
    progress = DoctorProgress()
    sources = Sources(settings=settings, config_file=config_file, keepalived=keepalived)
    try:
        with show_progress(progress):
            facts = gather(sources, progress.note)
    except OSError as error:
        raise click.ClickException(f"--keepalived {keepalived}: {error.strerror}") from error
    return examine(facts)


def _unusable(config_file: Path, mistakes: Iterable[str]) -> ExaminationResult:
    """Return the mistakes of the file as problems."""
    problems = tuple(
        Problem(
            importance=Importance.UNUSABLE,
            code="configuration.mistake",
            where=(str(config_file),),
            what=each.removeprefix(f"{config_file}: "),
            why="no check can run with this file",
            remedy="correct it; `ldaphealth config check` lists what is wrong",
            steps=tuple(Step("command", found[1]) for found in CHMOD.finditer(each)),
        )
        for each in mistakes
    )
    examined = Examined(problems, str(config_file))
    return ExaminationResult(CONFIGURATION, examined)


CONFIGURATION = Examination(
    name="configuration",
    title="Configuration",
    importance=Importance.UNUSABLE,
    examine=lambda _: Examined((), ""),
    means="the configuration file, or a file that it names, cannot be used",
)
