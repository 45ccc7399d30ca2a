"""Read the configuration, gather the facts with a progress line, and examine them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ldaphealth.cli.config_check import wrong_files
from ldaphealth.cli.progress import CheckProgress, show_progress
from ldaphealth.cli.targets import read_agent_config
from ldaphealth.config import ConfigError
from ldaphealth.config.mistakes import Mistake
from ldaphealth.doctor.examinations import Examination, ExaminationResult, examine
from ldaphealth.doctor.gathering import KEEPALIVED, Sources, gather, keepalived_conf
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.doctor.steps import command
from ldaphealth.files.permission import refusal_cause


def results_of(config_file: Path, keepalived: Path | None) -> list[ExaminationResult]:
    """Return what is found; one examination alone if the configuration cannot be used."""
    try:
        settings = read_agent_config(config_file)
    except ConfigError as error:
        return [_unusable(config_file, error.mistakes)]
    if wrong := wrong_files(settings):
        return [_unusable(config_file, [wrong])]
    try:
        conf, no_conf = keepalived_conf(keepalived)
    except OSError as error:
        raise click.ClickException(
            f"--keepalived {keepalived}: {refusal_cause(keepalived or KEEPALIVED, error)}"
        ) from error
    sources = Sources(
        settings=settings, config_file=config_file, keepalived=conf, no_keepalived=no_conf
    )
    progress = CheckProgress(sum(len(each.servers) for each in settings.clusters.values()))
    with show_progress(progress):
        return examine(gather(sources, progress.note))


def _unusable(config_file: Path, mistakes: Iterable[Mistake]) -> ExaminationResult:
    """Return the mistakes of the file as problems."""
    problems = tuple(
        Problem(
            importance=Importance.UNUSABLE,
            code="configuration.mistake",
            where=(str(config_file),),
            what=each.text.removeprefix(f"{config_file}: "),
            why="no check can run with this file",
            remedy="correct it; `ldaphealth config check` lists what is wrong",
            steps=(Step("command", command(*each.command)),) if each.command else (),
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
