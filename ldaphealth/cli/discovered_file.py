"""The work of `ldaphealth discover`: the options, the progress, the output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from threading import Event
from time import monotonic

import click

from ldaphealth.cli.by_url import credentials_of
from ldaphealth.cli.progress import show_progress
from ldaphealth.cli.url_options import UrlOptions
from ldaphealth.config import ConfigError
from ldaphealth.discover.discovery import Discovery, NothingFoundError, Stage, Wanted, discover
from ldaphealth.discover.document import discovery_document
from ldaphealth.discover.secure_session import ServerAccess
from ldaphealth.discover.syncrepl import provider_uri
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.names import parse_dn
from ldaphealth.model import Credentials

CLUSTER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
BAR_WIDTH = 30


def discover_and_print(  # noqa: PLR0913  the options of the command
    uris: Iterable[str],
    of_urls: UrlOptions,
    output: Path | None,
    form: str,
    *,
    cluster: str,
    cleartext: bool,
    domain: str,
    no_dns: bool,
    measure_seconds: float,
    deadline_seconds: float,
) -> None:
    """Find, and print or write the result; click.ClickException for what went wrong."""
    _check_output(output)
    if domain and not DOMAIN.fullmatch(domain):
        raise click.UsageError(f"--domain {domain!r}: not a DNS name, such as example.com")
    if cluster and not CLUSTER_NAME.fullmatch(cluster):
        raise click.UsageError(
            f"--cluster {cluster!r}: letters, digits, dot, dash, underscore; not dot or dash first"
        )
    wanted = Wanted(
        uris=_uris(uris, of_urls),
        access=_access(cluster, of_urls, cleartext=cleartext),
        base=_base(of_urls.base),
        domain=domain.rstrip("."),
        uses_dns=not no_dns,
        deadline_seconds=deadline_seconds,
        measure_seconds=measure_seconds,
    )
    discovery = _discovered(wanted)
    _print(discovery, output, form)


def _discovered(wanted: Wanted) -> Discovery:
    stage, stop = Stage(began_at=monotonic()), Event()
    try:
        with show_progress(_ProgressLine(stage)):
            return discover(wanted, stage, stop)
    except NothingFoundError as error:
        raise click.ClickException(str(error)) from error
    except ConfigError as error:  # a defect: what was found makes no configuration
        raise click.ClickException("\n".join(error.problems)) from error


class _ProgressLine:
    """What is done now; a bar while times are measured."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._began = stage, monotonic()

    def __rich__(self) -> str:
        """Return one line."""
        stage, now = self._stage, monotonic()
        whole = stage.ends_at - stage.began_at
        if whole <= 0:
            return f"{stage.name}, {now - self._began:.0f} s"
        part = min(1.0, (now - stage.began_at) / whole)
        bar = ("━" * round(part * BAR_WIDTH)).ljust(BAR_WIDTH, "─")
        return f"{stage.name} {bar} {part:.0%}, {max(0.0, stage.ends_at - now):.0f} s left"


def _print(discovery: Discovery, output: Path | None, form: str) -> None:
    text = discovery.text
    if form == "json":
        text = json.dumps(discovery_document(discovery), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:  # never one that exists meanwhile
            file.write(text)
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
    following = "" if form == "json" else f"; next: ldaphealth config check {output}"
    click.echo(f"wrote {output}{following}", err=True)


def _check_output(output: Path | None) -> None:
    if output is None:
        return
    if output.exists() or output.is_symlink():
        raise click.ClickException(f"{output} exists: move it away, or name another --output")
    if not output.absolute().parent.is_dir():
        raise click.ClickException(f"cannot write {output}: its directory does not exist")


def _uris(uris: Iterable[str], of_urls: UrlOptions) -> tuple[str, ...]:
    for each in uris:
        try:
            endpoint = parse_uri(each)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if endpoint.is_tls and of_urls.start_tls:
            raise click.UsageError(f"--start-tls is for ldap://, not for {endpoint.scheme}://")
    return tuple(dict.fromkeys(provider_uri(each) or each for each in uris))


def _access(cluster: str, of_urls: UrlOptions, *, cleartext: bool) -> ServerAccess:
    if of_urls.start_tls and cleartext:
        raise click.UsageError("--start-tls and --cleartext exclude each other")
    if of_urls.ca_file and not Path(of_urls.ca_file).is_file():
        raise click.UsageError(f"--ca-file {of_urls.ca_file}: no such file")
    file = of_urls.password_file
    credentials: Credentials = credentials_of(of_urls.bind_dn, file.absolute() if file else None)
    return ServerAccess(
        cluster=cluster,
        credentials=credentials,
        ca_file=str(Path(of_urls.ca_file).absolute()) if of_urls.ca_file else "",
        start_tls=of_urls.start_tls,
        cleartext=cleartext,
    )


def _base(text: str) -> str:
    try:
        return parse_dn(text)
    except ValueError as error:
        raise click.UsageError(f"--base: {error}") from error
