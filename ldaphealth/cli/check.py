"""`ldaphealth check`: look at servers once and tell the verdicts.

Everything heavy is imported inside, so that `--help` and mistakes on the command line are quick.
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
from msgspec.structs import replace

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.options import complete, config_option
from ldaphealth.cli.process_age import age_seconds
from ldaphealth.cli.url_options import UrlOptions
from ldaphealth.sinks import SINKS, Sink, SinkOptions
from ldaphealth.text.ascii_line import ascii_line

if TYPE_CHECKING:
    from ldaphealth.cli.selection import Selection
    from ldaphealth.settings import Cluster

BACKSTOP_SECONDS = 2.0
LEAST_PART = 0.3  # of the deadline; less would call every server silent


class CheckArguments(Struct, frozen=True, kw_only=True):
    """The command line, checked for options that exclude each other."""

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
            raise click.UsageError("name clusters or URLs, not both")
        if not any(by_url) and self.of_urls != UrlOptions():
            raise click.UsageError("--base, --bind-dn and the like go with an LDAP URL")
        if self.dynamic and self.sink != "keepalived":
            raise click.UsageError("--dynamic goes with --format keepalived")

    def chosen(self) -> Selection:
        """Return the clusters and servers that the targets name."""
        if "://" not in "".join(self.targets[:1]):
            from ldaphealth.cli.targets import select  # YAML, which URLs do without

            return select(self.targets, self.config_file, self.deadline_seconds)
        from ldaphealth.cli.by_url import url_selection

        return url_selection(self.targets, self.of_urls, self.deadline_seconds)


@click.command("check")
@click.argument(
    "targets", metavar="[CLUSTER[/SERVER] | LDAP-URL]...", nargs=-1, shell_complete=complete
)
@config_option
@click.option("--base", default="", metavar="DN", help="With a URL: the suffix of its data.")
@click.option("--bind-dn", default="", metavar="DN", help="With a URL: bind as this DN.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The password of --bind-dn, in a file that only its owner can read.",
)
@click.option("--start-tls", is_flag=True, help="With a URL: start TLS before the bind.")
@click.option("--ca-file", default="", metavar="FILE", help="With a URL: authorities to trust.")
@click.option(
    "--deadline",
    "deadline_seconds",
    type=click.FloatRange(0.1, 300),
    metavar="SECONDS",
    help="No server gets more time than this for everything together.  [default: 5, or the "
    "cluster's]",
)
@click.option(
    "--format",
    "sink",
    type=click.Choice(list(SINKS)),
    default="text",
    show_default=True,
    help="How to tell the verdicts.",
)
@click.option("--dynamic", is_flag=True, help="With keepalived: answer for misc_dynamic.")
@click.option(
    "-v", "--verbose", is_flag=True, help="With text: every finding and what was measured."
)
def check_command(**given: Any) -> None:
    """Look at servers once and tell which are fit for service.

    It does what clients do: connect, bind, search, unbind.

    Without arguments: every cluster of the configuration. A server is always judged among its whole
    cluster. Servers given as URLs are judged as one cluster that holds the same data.

    \b
    Exit status: 0 every server is in service, 1 at least one is out, 3 bad input.
      --format nagios      0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
      --format checkmk     as for people; checkmk reads the status in each line
      --format keepalived  what MISC_CHECK wants, for exactly one server: 0 in, 1 out;
                           with --dynamic 1 out, otherwise its weight plus 2

    \b
    Examples:
      ldaphealth check
      ldaphealth check example/ldap1 --format keepalived
      ldaphealth check --base dc=example,dc=com ldap://ldap1 ldap://ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    arguments, selection = _understood(given)
    _look_and_print(arguments, selection)


def _understood(given: dict[str, Any]) -> tuple[CheckArguments, Selection]:
    """Return the arguments and what they select; bad input ends the program as its reader wants."""
    try:
        of_urls = UrlOptions(**{name: given.pop(name) for name in UrlOptions.__struct_fields__})
        arguments = CheckArguments(of_urls=of_urls, **given)
        selection = arguments.chosen()
        if arguments.sink == "keepalived" and len(selection.servers) != 1:
            raise click.UsageError("keepalived is told of one server; name exactly one")
    except click.ClickException as error:
        sink = SINKS[given["sink"]]
        if not sink.error_line:
            raise
        click.echo(_apology(sink, error.format_message()))
        sys.exit(BAD_INPUT)
    return arguments, selection


def _look_and_print(arguments: CheckArguments, selection: Selection) -> NoReturn:
    """Look at the servers, print the verdicts and exit."""
    sink = SINKS[arguments.sink]
    if arguments.sink == "keepalived":
        selection = replace(
            selection, clusters=[_less(each, age_seconds()) for each in selection.clusters]
        )
    _arm_the_backstop(max(each.deadline_seconds for each in selection.clusters), sink)
    from ldaphealth.cli.look import evaluated  # ldap3

    output = sink.render(evaluated(selection, sink.effects), _options(arguments))
    if output.text:  # an empty line is no JSON, and no line of a local check
        click.echo(output.text)
    sys.exit(output.exit_status)


def _options(arguments: CheckArguments) -> SinkOptions:
    """Return how to show it; only a person's table has colours and a width."""
    if arguments.sink != "text":
        return SinkOptions(dynamic=arguments.dynamic)
    from shutil import get_terminal_size  # compressors, for 2 ms

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return SinkOptions(colour, get_terminal_size((100, 24)).columns, verbose=arguments.verbose)


def _less(cluster: Cluster, spent_seconds: float) -> Cluster:
    """Return the cluster with what is left of its deadline.

    keepalived's script gives the program up a fixed time after it started it. On a busy balancer
    the start alone takes seconds, and "no answer" would keep a dead server in.
    """
    left = max(cluster.deadline_seconds - spent_seconds, LEAST_PART * cluster.deadline_seconds)
    return cluster.within(round(left, 1))


def _arm_the_backstop(deadline_seconds: float, sink: Sink) -> None:
    """End the process, with an answer, if a defect of ours outlives every deadline."""

    def give_up(_: int, __: FrameType | None) -> None:
        late = f"no verdict {BACKSTOP_SECONDS:g} s after the deadline; this is a defect: report it"
        click.echo(f"ldaphealth: {late}", err=True)
        if sink.error_line:
            click.echo(_apology(sink, late))
        os._exit(BAD_INPUT)  # a thread that hangs would hold up an orderly exit

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, deadline_seconds + BACKSTOP_SECONDS)


def _apology(sink: Sink, why: str) -> str:
    return sink.error_line.format(ascii_line(why.replace("|", "/"), 300))
