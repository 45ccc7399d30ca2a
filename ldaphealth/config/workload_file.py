"""Read a workload file: every mistake with its line, and nothing but searches and compares.

`ldaphealth workload show` reads one file. The agent and `ldaphealth config check` read those that
the settings name; a one-shot check does not need them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct, UnsetType
from msgspec.structs import replace

from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.yaml_file import line_numbers, read_yaml
from ldaphealth.settings import Cluster, ConfiguredCheck, Settings
from ldaphealth.workload.shape import Workload
from ldaphealth.workload.workload_file import WorkloadFile


def load_workload(path: Path) -> Workload:
    """Return the workload; ConfigError lists all mistakes, each with its line in the file."""
    problems = Problems()
    workload: Workload | UnsetType = fill_struct(Workload, read_yaml(path), "", problems)
    if problems.lines or not isinstance(workload, Workload):
        lines = line_numbers(path)
        raise ConfigError([f"line {_line(each, lines)}: {each}" for each in problems.lines])
    return workload


def with_workloads(settings: Settings) -> Settings:
    """Return the settings with the content of the workload files that checks name.

    ConfigError lists the mistakes in all of them.
    """
    mistakes: list[str] = []
    clusters = {name: _with_workloads(each, mistakes) for name, each in settings.clusters.items()}
    if mistakes:
        raise ConfigError(mistakes)
    return replace(settings, clusters=clusters)


def _with_workloads(cluster: Cluster, mistakes: list[str]) -> Cluster:
    checks: list[ConfiguredCheck] = []
    for check in cluster.checks:
        file = getattr(check.params, "file", None)
        if isinstance(check.params, Struct) and isinstance(file, WorkloadFile):
            try:
                read = load_workload(file.path).in_file(file.path)
                check = replace(check, params=replace(check.params, file=read))  # noqa: PLW2901
            except ConfigError as error:
                place = f"clusters.{cluster.name}.checks.{check.name}.file"
                mistakes += [f"{place}: {file.path}: {each}" for each in error.problems]
        checks.append(check)
    shadow = cluster.shadow and _with_files_of(checks, cluster.shadow)
    return replace(cluster, checks=tuple(checks), shadow=shadow)


def _with_files_of(checks: Iterable[ConfiguredCheck], shadow: Cluster) -> Cluster:
    """Return the shadow of a cluster with the files that were read for the cluster's checks."""
    read = {each.name: each.params.file for each in checks if hasattr(each.params, "file")}
    return replace(
        shadow,
        checks=tuple(
            replace(each, params=replace(each.params, file=read[each.name]))
            if each.name in read
            else each
            for each in shadow.checks
        ),
    )


def _line(mistake: str, lines: Mapping[str, int]) -> int:
    """Return the line of the place that a mistake begins with, or of what it is in."""
    place = mistake.partition(":")[0]
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return lines.get(place, 1)
