"""`ldaphealth check`: check servers once and print the verdicts.

Large modules are imported in functions, so that `--help` and usage errors are quick.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from msgspec import Struct

from ldaphealth.cli import BAD_INPUT, MISSED_DEADLINE
from ldaphealth.cli.option_types import DurationText
from ldaphealth.cli.options import complete, config_option, of_bind_dn
from ldaphealth.cli.process_age import LEAST_PART
from ldaphealth.cli.url_options import UrlOptions
from ldaphealth.sinks import SINKS, Sink, SinkOptions, SinkOutput
from ldaphealth.text.ascii_line import ascii_line

if TYPE_CHECKING:
    from ldaphealth.cli.selection import Selection

CLEAR_TEXT_REMEDY = "add --start-tls, or write ldaps:// in the URL"
GRACE_SECONDS = 2.0


class CheckArguments(Struct, frozen=True, kw_only=True):
    """The arguments of the command, checked for options that exclude each other."""

    targets: tuple[str, ...]
    config_file: Path
    deadline_seconds: float | None
    sink: str
    dynamic: bool
    verbose: bool
    of_urls: UrlOptions

    def __post_init__(self) -> None:
        by_url = ["://" in target for target in self.targets]
        if any(by_url) and not all(by_url):
            raise click.UsageError("give clusters or URLs, not both")
        if not any(by_url) and self.of_urls != UrlOptions():
            what = f"write ldap://{self.targets[0]}" if self.targets else "such as ldap://HOST"
            raise click.UsageError(
                "--base, --bind-dn, --password-file, --start-tls and --ca-file need an LDAP URL: "
                + what
            )
        if self.dynamic and self.sink != "keepalived":
            raise click.UsageError("--dynamic needs --format keepalived")

    def selection(self) -> Selection:
        """Return the clusters and servers that the targets name."""
        if "://" not in "".join(self.targets[:1]):
            from ldaphealth.cli.targets import select  # PyYAML, not needed for URLs

            return select(self.targets, self.config_file, self.deadline_seconds)
        from ldaphealth.cli.by_url import url_selection

        return url_selection(self.targets, self.of_urls, self.deadline_seconds)


@click.command("check")
@click.argument(
    "targets", metavar="[CLUSTER[/SERVER] | LDAP-URL]...", nargs=-1, shell_complete=complete
)
@config_option
@click.option("--base", default="", metavar="DN", help="With a URL: the suffix of the data.")
@click.option("--bind-dn", default="", metavar="DN", help="With a URL: bind as this DN.")
@of_bind_dn
@click.option("--start-tls", is_flag=True, help="With a URL: StartTLS before the bind.")
@click.option(
    "--ca-file", default="", metavar="FILE", help="With a URL: CA certificates to trust, in PEM."
)
@click.option(
    "--deadline",
    "deadline_seconds",
    type=DurationText(0.1, 300),
    metavar="DURATION",
    help="Time limit for each server, all checks together, such as 2s.  [default: that of the "
    "cluster, with a URL 5s]",
)
@click.option(
    "--format",
    "sink",
    type=click.Choice(list(SINKS)),
    default="text",
    show_default=True,
    help="Output format.",
)
@click.option("--dynamic", is_flag=True, help="With keepalived: exit status for misc_dynamic.")
@click.option(
    "-v", "--verbose", is_flag=True, help="With text: print every finding, and the measured values."
)
def check_command(**given: Any) -> None:
    """Check servers once and print which are fit for service.

    A check does what clients do: connect, bind, search, unbind.

    Without arguments, it checks every cluster of the configuration. A server is always judged
    together with its whole cluster. Servers given as URLs are judged as one cluster that holds the
    same data.

    \b
    Exit status: 0 every server is in service, 1 at least one is out,
                 3 bad input or a host of a URL that does not resolve,
                 4 too late.
      --format nagios      0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
      --format checkmk     as above; Checkmk reads the state from each line
      --format keepalived  for MISC_CHECK and exactly one server:
                           0 in service, 1 out of service; with --dynamic:
                           1 out of service, otherwise the weight plus 2

    \b
    Examples:
      ldaphealth check
      ldaphealth check example/ldap1 --format keepalived
      ldaphealth check --base dc=example,dc=com ldap://ldap1 ldap://ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    sink = SINKS[given["sink"]]
    try:
        arguments, selection = _parse(given)
        if arguments.of_urls.bind_dn:
            _warn_of_clear_text(selection)
        _check_and_print(arguments, selection)
    except click.ClickException as error:  # bad input: exit as the output format requires
        if not sink.error_line:
            raise
        click.echo(_error_line(sink, error.format_message()))
        sys.exit(BAD_INPUT)


def _parse(given: dict[str, Any]) -> tuple[CheckArguments, Selection]:
    """Return the arguments and the selection; click.ClickException for bad input."""
    of_urls = UrlOptions(**{name: given.pop(name) for name in UrlOptions.__struct_fields__})
    arguments = CheckArguments(of_urls=of_urls, **given)
    selection = arguments.selection()
    if arguments.sink == "keepalived" and len(selection.servers) != 1:
        raise click.UsageError("--format keepalived needs exactly one server")
    return arguments, selection


def _warn_of_clear_text(selection: Selection) -> None:
    """Warn on standard error if the password of the options goes to a server in the clear."""
    from ldaphealth.config.cleartext import passwords_in_clear

    for warning in passwords_in_clear(selection.clusters, CLEAR_TEXT_REMEDY):
        click.echo(f"ldaphealth: warning: {warning}", err=True)


def _check_and_print(arguments: CheckArguments, selection: Selection) -> NoReturn:
    """Check the servers, print the verdicts and exit."""
    sink = SINKS[arguments.sink]
    longest_seconds = max(each.deadline_seconds for each in selection.clusters)
    if arguments.sink == "keepalived":  # it may wait for another check, and then probe by itself
        longest_seconds *= 1 + LEAST_PART
    _limit_process_time(longest_seconds, sink)
    output = _output(arguments, selection, sink)
    if output.text:  # an empty line is not valid JSON, and not a line of a local check
        click.echo(output.text)
    sys.exit(output.exit_status)


def _output(arguments: CheckArguments, selection: Selection, sink: Sink) -> SinkOutput:
    if arguments.sink == "keepalived":
        from ldaphealth.cli.shared_check import check_shared

        return check_shared(selection, arguments.config_file, dynamic=arguments.dynamic)
    from ldaphealth.cli.evaluation import evaluate_selection  # ldap3

    snapshot = evaluate_selection(
        selection, sink.effects, is_repeated=sink.is_repeated, refuse_unresolved=True
    )
    return sink.render(snapshot, _sink_options(arguments))


def _sink_options(arguments: CheckArguments) -> SinkOptions:
    """Return the options of the sink; only the format `text` has colours and a width."""
    if arguments.sink != "text":
        return SinkOptions()
    from shutil import get_terminal_size  # loads compression modules, 2 ms

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return SinkOptions(colour, get_terminal_size((100, 24)).columns, verbose=arguments.verbose)


def _limit_process_time(deadline_seconds: float, sink: Sink) -> None:
    """End the process, with an error message, if a defect makes it miss its deadline."""

    def exit_late(_: int, __: FrameType | None) -> None:
        late = f"no verdict {GRACE_SECONDS:g} s after the deadline; this is a defect: report it"
        click.echo(f"ldaphealth: {late}", err=True)
        if sink.error_line:
            click.echo(_error_line(sink, late))
        # A thread that hangs would delay a normal exit.
        os._exit(BAD_INPUT if sink.error_line else MISSED_DEADLINE)

    signal.signal(signal.SIGALRM, exit_late)
    signal.setitimer(signal.ITIMER_REAL, deadline_seconds + GRACE_SECONDS)


def _error_line(sink: Sink, why: str) -> str:
    return sink.error_line.format(ascii_line(why.replace("|", "/"), 300))
