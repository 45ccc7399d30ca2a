"""Read the configuration file, check it as a whole, and build the settings.

The commands call `load`. It raises one `ConfigError` that lists all mistakes.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import UnsetType

from ldaphealth.checks import find
from ldaphealth.config import build
from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.named_checks import Finder
from ldaphealth.config.shape import File
from ldaphealth.config.yaml_file import read_yaml
from ldaphealth.settings import Settings

__all__ = ["ConfigError", "load"]


def load(path: Path, finder: Finder = find) -> Settings:
    """Return the settings of a configuration file; ConfigError lists all mistakes.

    `finder` returns a check by its name.
    """
    problems = Problems()
    file: File | UnsetType = fill_struct(File, read_yaml(path), "", problems)
    if not isinstance(file, File):
        raise ConfigError(problems.lines)
    clusters = build.clusters(file, finder, problems)
    if problems.lines:
        raise ConfigError(problems.lines)
    return Settings(clusters, file.agent)
