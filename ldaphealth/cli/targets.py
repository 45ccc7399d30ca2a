"""The clusters and servers of the configuration file that a command line selects.

The commands with a `CLUSTER[/SERVER]` call `select`. Every mistake is raised as a click exception.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import click

from ldaphealth.cli.selection import Selection
from ldaphealth.config import ConfigError, load
from ldaphealth.settings import Cluster, Settings
from ldaphealth.text.suggestion import suggestion

NO_FILE = "; write one (README.md has an example), or give its path with --config"


def read_config(path: Path, loader: Callable[[Path], Settings] = load) -> Settings:
    """Return the settings; ConfigError has a line with the path of the file for each problem."""
    try:
        return loader(path)
    except ConfigError as error:
        hint = "" if path.exists() else NO_FILE
        raise ConfigError(each.of(str(path), hint) for each in error.mistakes) from error


def read_agent_config(path: Path, loader: Callable[[Path], Settings] = load) -> Settings:
    """Return the settings with the files that only the agent reads; ConfigError as above."""
    from ldaphealth.config.workload_file import with_workloads

    settings = read_config(path, loader)
    try:
        return with_workloads(settings)
    except ConfigError as error:
        raise ConfigError(each.of(str(path)) for each in error.mistakes) from error


def load_config(path: Path, read: Callable[[Path], Settings] = read_config) -> Settings:
    """Return the settings; raise a click exception that lists every problem of the file."""
    try:
        return read(path)
    except ConfigError as error:
        raise click.ClickException("\n".join(error.problems)) from error


def clusters_named(settings: Settings, names: Collection[str], path: Path) -> list[Cluster]:
    """Return these clusters of a configuration file in its order, all of them without names."""
    known = settings.clusters
    for each in names:
        if each not in known:
            raise click.UsageError(f"{path} has no cluster {each!r}{suggestion(each, known)}")
    return [cluster for name, cluster in known.items() if not names or name in names]


def select(targets: Iterable[str], path: Path, deadline_seconds: float | None) -> Selection:
    """Return these clusters and servers of a configuration file, or all of them without targets."""
    settings = load_config(path)
    clusters = settings.clusters
    if deadline_seconds is not None:
        clusters = {name: each.within(deadline_seconds) for name, each in clusters.items()}
    known = [*clusters] + [server.id for each in clusters.values() for server in each.servers]
    wanted: set[str] = set()
    for target in targets or clusters:
        if target not in known:
            raise click.UsageError(f"{path} has no {target!r}{suggestion(target, known)}")
        name, _, server = target.partition("/")
        wanted.update([target] if server else [each.id for each in clusters[name].servers])
    chosen = [
        each for name, each in clusters.items() if any(w.startswith(f"{name}/") for w in wanted)
    ]
    return Selection(chosen, frozenset(wanted), settings)
