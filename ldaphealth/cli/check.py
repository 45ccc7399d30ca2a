"""`ldaphealth check`: look at servers once and tell the verdicts.

Everything heavy is imported inside, so that `--help` and mistakes on the command line are quick.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.by_url import UrlOptions, cluster
from ldaphealth.cli.progress import CheckProgress, show_progress
from ldaphealth.cli.targets import Selection, complete, config_option, select
from ldaphealth.sinks import SINKS, Sink, SinkOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ldaphealth.check import Cluster, ConfiguredCheck
    from ldaphealth.guard import Memory
    from ldaphealth.ldap.deadline import Deadline
    from ldaphealth.model import CheckEffect, Observation, Server, Snapshot
    from ldaphealth.settings import Settings

BACKSTOP_SECONDS = 2.0
LEAST_PART = 0.3  # of the deadline; less would call every server silent


class CheckArguments(Struct, frozen=True):
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
            return select(self.targets, self.config_file, self.deadline_seconds)
        found = cluster(self.targets, self.of_urls, self.deadline_seconds)
        return Selection([found], frozenset(server.id for server in found.servers))


@click.command()
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
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    targets: tuple[str, ...],
    config_file: Path,
    deadline_seconds: float | None,
    sink: str,
    dynamic: bool,
    verbose: bool,
    **of_urls: Any,
) -> None:
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
    try:
        options = UrlOptions(**of_urls)
        asked = CheckArguments(
            targets, config_file, deadline_seconds, sink, dynamic, verbose, options
        )
        chosen = asked.chosen()
        if sink == "keepalived" and len(chosen.servers) != 1:
            raise click.UsageError("keepalived is told of one server; name exactly one")
    except click.ClickException as error:
        if not SINKS[sink].apology:
            raise
        click.echo(_apology(SINKS[sink], error.format_message()))
        sys.exit(BAD_INPUT)
    if sink == "keepalived":
        chosen = replace(chosen, clusters=[_less(each, age_seconds()) for each in chosen.clusters])
    _arm_the_backstop(max(each.deadline_seconds for each in chosen.clusters), SINKS[sink])
    told = SINKS[sink].render(evaluated(chosen, SINKS[sink].effects), _options(asked))
    if told.text:  # an empty line is no JSON, and no line of a local check
        click.echo(told.text)
    sys.exit(told.exit_status)


def _options(asked: CheckArguments) -> SinkOptions:
    """Return how to tell it; only a person's table has colours and a width."""
    if asked.sink != "text":
        return SinkOptions(dynamic=asked.dynamic)
    from shutil import get_terminal_size  # noqa: PLC0415  loads compressors, for 2 ms

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return SinkOptions(colour, get_terminal_size((100, 24)).columns, verbose=asked.verbose)


def _less(cluster: Cluster, spent_seconds: float) -> Cluster:
    """Return the cluster with what is left of its deadline.

    keepalived's script gives the program up a fixed time after it started it. On a busy balancer
    the start alone takes seconds, and "no answer" would keep a dead server in.
    """
    left = max(cluster.deadline_seconds - spent_seconds, LEAST_PART * cluster.deadline_seconds)
    return cluster.within(round(left, 1))


def age_seconds() -> float:
    """Return for how long this process has run; 22 of proc_pid_stat(5) is its start."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    started_seconds = started_ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_seconds)


def evaluated(chosen: Selection, effects: frozenset[CheckEffect]) -> Snapshot:
    """Look at the clusters, and return the verdicts on the servers that are asked about."""
    from ldaphealth.rounds.probe import probe_server  # noqa: PLC0415
    from ldaphealth.tasks.one_shot import evaluate  # noqa: PLC0415

    gc.freeze()  # what is loaded stays until this short process ends: it need not be looked through
    progress = CheckProgress(sum(len(each.servers) for each in chosen.clusters))

    def probe(
        server: Server, checks: Iterable[ConfiguredCheck], deadline: Deadline
    ) -> list[Observation]:
        seen = probe_server(server, tuple(checks), deadline)
        progress.note(server.id)
        return seen

    with show_progress(progress):
        snapshot = evaluate(
            chosen.clusters, effects=effects, probe=probe, overrides=_overrides(chosen.settings)
        )
    asked_of = tuple(each for each in snapshot.verdicts if each.server in chosen.servers)
    return replace(snapshot, verdicts=asked_of)


def _overrides(settings: Settings | None) -> Mapping[str, Memory]:
    """Return the operators' words that the agent keeps: they hold while it is down, too."""
    from ldaphealth.guard import Memory  # noqa: PLC0415
    from ldaphealth.ldap.deadline import boot_seconds  # noqa: PLC0415
    from ldaphealth.store.state_file import load_state, state_path  # noqa: PLC0415

    if settings is None:
        return {}
    path = state_path(settings.agent.state_directory)
    try:
        known = load_state(path, boot_seconds())
    except (OSError, ValueError) as error:
        click.echo(f"ldaphealth: what operators said is not known: {error}", err=True)
        return {}
    return {name: Memory(overrides=each.overrides) for name, each in known.items()}


def _arm_the_backstop(deadline_seconds: float, sink: Sink) -> None:
    """End the process, with an answer, if a defect of ours outlives every deadline."""

    def give_up(_: int, __: FrameType | None) -> None:
        late = f"no verdict {BACKSTOP_SECONDS:g} s after the deadline; this is a defect: report it"
        click.echo(f"ldaphealth: {late}", err=True)
        if sink.apology:
            click.echo(_apology(sink, late))
        os._exit(BAD_INPUT)  # a thread that hangs would hold up an orderly exit

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, deadline_seconds + BACKSTOP_SECONDS)


def _apology(sink: Sink, why: str) -> str:
    from ldaphealth.text.ascii_line import ascii_line  # noqa: PLC0415

    return sink.apology.format(ascii_line(why.replace("|", "/"), 300))
