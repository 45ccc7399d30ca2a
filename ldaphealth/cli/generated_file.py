"""The work of `ldaphealth generate`: the settings, the addresses of host names, the output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.targets import clusters_named, load_config
from ldaphealth.files.atomic_file import write
from ldaphealth.generate.kinds import VIRTUAL, Kind
from ldaphealth.generate.site import DEFAULT_PROGRAM, Site, version
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.resolver import resolve
from ldaphealth.settings import Cluster
from ldaphealth.text.suggestion import suggestion

RESOLVE_SECONDS = 5.0  # for all names together
INTERFACE_CHARACTERS = 15  # IFNAMSIZ without the final NUL, netdevice(7)


def generate(
    kind: Kind, config_file: Path, output: Path | None, *, force: bool, given: Mapping[str, Any]
) -> None:
    """Print or write one file; click.ClickException for wrong input."""
    settings = load_config(config_file)
    clusters = clusters_named(settings, given.get("clusters", ()), config_file)
    site = Site(
        settings=settings,
        clusters=(*clusters,),
        config_file=config_file.absolute(),
        program=program_started_as(sys.argv[0]),
        virtual_addresses=_virtual_addresses(clusters, given.get(VIRTUAL, ())),
        interface=_interface(given.get("interface", "")),
        addresses=_addresses(clusters) if VIRTUAL in kind.needs else {},
        shards=given.get("shards") or 0,
    )
    try:
        text = kind.text(site)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text, force=force)


def _virtual_addresses(clusters: Iterable[Cluster], given: Iterable[str]) -> dict[str, str]:
    """Return the addresses by cluster; click.UsageError if one is wrong."""
    names = [each.name for each in clusters]
    found: dict[str, str] = {}
    for each in given:
        name, separator, address = each.rpartition("=")
        if not separator and len(names) > 1:
            raise click.UsageError(
                f"--virtual-address {each}: several clusters; write {names[0]}={each}"
            )
        name = name or names[0]
        if name not in names:
            raise click.UsageError(
                f"--virtual-address {each}: no cluster {name!r}{suggestion(name, names)}"
            )
        try:
            found[name] = str(ip_address(address))
        except ValueError as error:
            raise click.UsageError(f"--virtual-address {each}: not an IP address") from error
    return found


def _interface(name: str) -> str:
    """Return the name of an interface; click.UsageError if it can be none."""
    safe = name.isascii() and all(c.isalnum() or c in "._-:@" for c in name)
    if not safe or len(name) > INTERFACE_CHARACTERS:
        raise click.UsageError(f"--interface {name!r}: not the name of an interface (ip link)")
    return name


def program_started_as(name: str) -> Path:
    """Return the path of the program that was started by this name, the usual one if it is none."""
    found = shutil.which(name) if Path(name).name == DEFAULT_PROGRAM.name else None
    return Path(found).absolute() if found else DEFAULT_PROGRAM


def _addresses(clusters: Iterable[Cluster]) -> dict[str, tuple[str, ...]]:
    """Return the addresses of the host names of servers; none for a name that does not resolve."""
    deadline = Deadline.after(RESOLVE_SECONDS)
    endpoints = [parse_uri(server.uri) for each in clusters for server in each.servers]
    found: dict[str, tuple[str, ...]] = {}
    for each in endpoints:
        if each.is_socket or version(each.host) or each.host in found:
            continue
        try:
            resolved = resolve(each, deadline)
        except SessionError:
            found[each.host] = ()
        else:
            found[each.host] = tuple(str(address[0]) for _, address in resolved)
    return found


def _write(output: Path, text: str, *, force: bool) -> None:
    if not force and (output.exists() or output.is_symlink()):
        raise click.ClickException(f"{output} exists; --force replaces it")
    try:
        write(output, text.encode())
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
