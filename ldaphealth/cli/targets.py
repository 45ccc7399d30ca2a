"""Which clusters and servers a command line means, read from the configuration file.

The commands that take `CLUSTER[/SERVER]` call this; every mistake becomes a click exception.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

if TYPE_CHECKING:
    from ldaphealth.check import Cluster
    from ldaphealth.settings import Settings

CONFIG_FILE = Path("/etc/ldaphealth/ldaphealth.yaml")

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="LDAPHEALTH_CONFIG",
    show_envvar=True,
    default=CONFIG_FILE,
    show_default=True,
    metavar="FILE",
    help="Where the clusters are described.",
)

NO_FILE = "; write one (README.md has a first), or name it with --config"

as_format = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)


def read_config(path: Path) -> Settings:
    """Return what the file says; ConfigError has a line with the path for each of its problems."""
    from ldaphealth.config import ConfigError, load  # noqa: PLC0415  loads the checks

    try:
        return load(path)
    except ConfigError as error:
        hint = "" if path.exists() else NO_FILE
        raise ConfigError([f"{path}: {problem}{hint}" for problem in error.problems]) from error


def load_config(path: Path) -> Settings:
    """Return what the file says; a click exception lists every problem of the file."""
    from ldaphealth.config import ConfigError  # noqa: PLC0415  loads the checks

    try:
        return read_config(path)
    except ConfigError as error:
        raise click.ClickException("\n".join(error.problems)) from error


def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the clusters and servers that a shell may complete; nothing where there is no file."""
    path = ctx.params.get("config_file") or Path(os.environ.get("LDAPHEALTH_CONFIG", CONFIG_FILE))
    try:
        clusters = load_config(Path(path)).clusters
    except click.ClickException:
        return []
    servers = [server.id for each in clusters.values() for server in each.servers]
    known = [*clusters] if param.name == "cluster" else servers
    if param.name in ("target", "targets"):
        known = [*clusters, *servers]
    return [each for each in known if each.startswith(incomplete)]


class Selection(Struct, frozen=True):
    """The clusters to look at whole, the IDs of the servers that are asked about, and the rest."""

    clusters: list[Cluster]
    servers: frozenset[str]
    settings: Settings | None = None  # none where URLs are asked about


def select(targets: Iterable[str], path: Path, deadline_seconds: float | None) -> Selection:
    """Return what a configuration file says of these clusters and servers, or of all."""
    from ldaphealth.config.mistakes import near  # noqa: PLC0415  loads the checks

    settings = load_config(path)
    clusters = settings.clusters
    if deadline_seconds is not None:
        clusters = {name: each.within(deadline_seconds) for name, each in clusters.items()}
    known = [*clusters] + [server.id for each in clusters.values() for server in each.servers]
    wanted: set[str] = set()
    for target in targets or clusters:
        if target not in known:
            raise click.UsageError(f"{path} describes no {target!r}{near(target, known)}")
        name, _, server = target.partition("/")
        wanted.update([target] if server else [each.id for each in clusters[name].servers])
    chosen = [
        each for name, each in clusters.items() if any(w.startswith(f"{name}/") for w in wanted)
    ]
    return Selection(chosen, frozenset(wanted), settings)
