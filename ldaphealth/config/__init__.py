"""Read the configuration file, check it as a whole, and build the settings.

The commands call `load`. It raises one `ConfigError` that lists all mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import UnsetType
from msgspec.structs import replace

from ldaphealth.checks import find
from ldaphealth.config import build
from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import ConfigError, Problems
from ldaphealth.config.named_checks import Finder
from ldaphealth.config.shape import File
from ldaphealth.config.yaml_file import read_yaml
from ldaphealth.settings import USUAL_CONFIG_FILE, AgentSettings, Cluster, Settings
from ldaphealth.text.suggestion import did_you_mean

NO_CONFIGURATION = (
    "this is no configuration of ldaphealth: it has none of the keys "
    f"{', '.join(File.__struct_fields__)}; `ldaphealth discover LDAP-URL` writes one"
)

__all__ = ["ConfigError", "load", "load_agent", "load_without_files"]


def load(path: Path, finder: Finder = find) -> Settings:
    """Return the settings of a configuration file; ConfigError lists all mistakes.

    `finder` returns a check by its name.
    """
    return _load(path, finder, build.READ_FILES)


def load_without_files(path: Path) -> Settings:
    """Return the settings without passwords; else as `load`.

    The files of passwords and of TLS are not read, and need not exist.
    """
    others = build.OtherFiles(password=lambda _: None, check_tls=lambda *_: None)
    return _load(path, find, others)


def _is_configuration(content: object) -> bool:
    """Return whether there is a key of a configuration, or one that was probably meant to be."""
    if not isinstance(content, dict):
        return False
    known = File.__struct_fields__
    if any(key in known for key in content):
        return True
    return any(did_you_mean(str(key), known) for key in content)


def _load(path: Path, finder: Finder, others: build.OtherFiles) -> Settings:
    problems = Problems()
    file = _read_file(path, problems)
    clusters = build.clusters(file, finder, problems, others)
    if problems.mistakes:
        raise ConfigError(problems.mistakes)
    return Settings(_with_file(clusters, path), file.agent)


def _with_file(clusters: Mapping[str, Cluster], path: Path) -> Mapping[str, Cluster]:
    """Return the clusters with the path of their configuration, if commands must name it."""
    absolute = path.absolute()
    if absolute == USUAL_CONFIG_FILE or not absolute.is_file():
        return clusters
    return {name: replace(each, config_file=str(absolute)) for name, each in clusters.items()}


def load_agent(path: Path) -> AgentSettings:
    """Return the settings of the agent in a configuration file; ConfigError if it cannot be read.

    No other file is read, so it works for those who may not read the passwords.
    """
    return _read_file(path, Problems()).agent


def _read_file(path: Path, problems: Problems) -> File:
    content = read_yaml(path)
    if not _is_configuration(content):  # no other sentence: it may be a file with secrets
        raise ConfigError([NO_CONFIGURATION])
    file: File | UnsetType = fill_struct(File, content, "", problems)
    if not isinstance(file, File):
        raise ConfigError(problems.mistakes)
    return file
