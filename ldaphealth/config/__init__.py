"""The configuration file: read, checked as a whole, and made into clusters ready to be probed.

The commands call `load`. Mistakes leave as one `ConfigError` that lists all of them.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import UnsetType

from ldaphealth.check import Cluster
from ldaphealth.checks import find
from ldaphealth.config.build import Finder, build
from ldaphealth.config.fill import Problems, fill_struct
from ldaphealth.config.mistakes import ConfigError
from ldaphealth.config.shape import File
from ldaphealth.config.yaml_file import read

__all__ = ["ConfigError", "load"]


def load(path: Path, finder: Finder = find) -> dict[str, Cluster]:
    """Return the clusters of a configuration file by name; ConfigError lists all mistakes.

    `finder` returns a check by its name.
    """
    problems = Problems()
    file: File | UnsetType = fill_struct(File, read(path), "", problems)
    clusters = build(file, finder, problems) if isinstance(file, File) else {}
    if problems.lines:
        raise ConfigError(problems.lines)
    return clusters
