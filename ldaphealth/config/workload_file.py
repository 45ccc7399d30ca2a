"""Read a workload file: every mistake with its line, and nothing but searches and compares.

`ldaphealth workload show` calls it, and so can settings that name such a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import UnsetType

from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.yaml_file import line_numbers, read_yaml
from ldaphealth.workload.shape import Workload


def load_workload(path: Path) -> Workload:
    """Return the workload; ConfigError lists all mistakes, each with its line in the file."""
    problems = Problems()
    workload: Workload | UnsetType = fill_struct(Workload, read_yaml(path), "", problems)
    if problems.lines or not isinstance(workload, Workload):
        lines = line_numbers(path)
        raise ConfigError([f"line {_line(each, lines)}: {each}" for each in problems.lines])
    return workload


def _line(mistake: str, lines: Mapping[str, int]) -> int:
    """Return the line of the place that a mistake begins with, or of what it is in."""
    place = mistake.partition(":")[0]
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return lines.get(place, 1)
