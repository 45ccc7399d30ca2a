"""`check_ldaphealth`: the plugin for Nagios, Icinga and what else runs their plugins.

A program of its own, whose options mean what those of check_ldap (monitoring-plugins) mean, so that
a service definition goes on with another program name. docs/nagios.md has both beside each other.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.host_options import HostOptions
from ldaphealth.cli.options import CONFIG_FILE
from ldaphealth.cli.plugin_options import IGNORED, PROGRAM, with_options
from ldaphealth.cli.process_age import age_seconds
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import CheckEffect, Snapshot, State
from ldaphealth.text.ascii_line import ascii_line

if TYPE_CHECKING:
    from ldaphealth.cli.selection import Selection

AIR_SECONDS = 0.15  # of the timeout, to judge, tell and end
LATE_SECONDS = 0.1  # after the timeout, when nothing of ours has ended in time
LEAST_PART = 0.3  # of the timeout; less would call every server silent
FIRST_LINE_CHARACTERS = 79  # "less than 80"
WHY_CHARACTERS = 500
ON_COMMAND_LINE = (
    "the password was on the command line, where every user of this machine can read it: "
    "use --password-file, or LDAP_PASSWORD in the environment"
)


class PluginArguments(Struct, frozen=True, kw_only=True):
    """The command line, but for what names one server."""

    timeout: float
    target: str
    config_file: Path | None
    agent: bool
    socket: Path
    checks: tuple[str, ...]
    verbose: int
    warning: Range | None
    critical: Range | None
    warn_entries: Range | None
    crit_entries: Range | None

    @property
    def entries(self) -> Thresholds | None:
        """Return how to judge the number of entries; None: they are not counted."""
        judged = Thresholds(self.warn_entries, self.crit_entries)
        return None if judged == Thresholds() else judged

    def left_seconds(self) -> float:
        """Return what a look may take: the start of the program is in the timeout, too."""
        left = self.timeout - age_seconds() - AIR_SECONDS
        return round(max(left, LEAST_PART * self.timeout), 1 if left > 1 else 2)


@click.command(
    "check_ldaphealth", add_help_option=False, context_settings={"max_content_width": 100}
)
@with_options
@click.pass_context
def check_ldaphealth_command(ctx: click.Context, /, **given: Any) -> None:
    """Tell Nagios or Icinga whether an LDAP server, or a cluster of them, is fit for service.

    With -H it does what check_ldap does - connect, bind, search, unbind - takes its options and
    prints its perfdata. With --cluster it looks at servers of the configuration with all their
    checks, replication too. With --agent it tells what the running agent decided, in a moment and
    without any traffic.

    \b
    Exit status, and the word after LDAP in the first line:
      0 OK        in service, nothing to say
      1 WARNING   slower than -w, a check of the configuration warns, or drained by an operator
      2 CRITICAL  out of service, slower than -c, no answer in time, or a name that does not resolve
      3 UNKNOWN   bad arguments, trouble of our own; the agent does not run or its verdict is stale;
                  --help and --version, too

    Ranges are those of the plugin guidelines: 2 is "at most 2", 1: "at least 1", @1:5 "not 1 to 5".

    \b
    Examples:
      check_ldaphealth -H ldap1.example.com -b dc=example,dc=com -w 0.5 -c 2
      check_ldaphealth -H ldap1 -T -D cn=nagios,dc=example,dc=com --password-file FILE \\
                       -b dc=example,dc=com -a '(uid=nagios)' -C 1:
      check_ldaphealth --cluster example --check replication
      check_ldaphealth --agent --cluster example/ldap1
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    for name in IGNORED:
        del given[name]
    options = HostOptions(**{name: given.pop(name) for name in HostOptions.__struct_fields__})
    question = PluginArguments(**given)
    config_named = ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    _refuse_contradictions(question, options, config_named=config_named)
    _arm_the_backstop(question)
    snapshot = _snapshot(question, options)
    _tell(snapshot, question, (ON_COMMAND_LINE,) if options.password else ())


def _refuse_contradictions(
    question: PluginArguments, options: HostOptions, *, config_named: bool
) -> None:
    of_one_server = replace(options, ca_file="") != HostOptions()  # that may be in the environment
    by_cluster = bool(question.target or question.config_file)
    if options.host and (question.agent or question.target or config_named):
        raise click.UsageError("-H is for one server: no --cluster, --config or --agent with it")
    if not options.host and not by_cluster and not question.agent:
        raise click.UsageError("what to look at? Name it: -H HOST, --cluster CLUSTER, or --agent")
    if not options.host and (of_one_server or question.entries is not None):
        raise click.UsageError("-p, -S, -T, -b, -a, -D, -W, -C and passwords go with -H")
    if question.agent and config_named:
        raise click.UsageError("the agent has its own configuration: leave --config out")


def _snapshot(question: PluginArguments, options: HostOptions) -> Snapshot:
    """Return the verdicts on what is asked about, from the agent or from a look of our own."""
    if question.agent:
        from ldaphealth.cli.agent_snapshot import agent_snapshot

        return agent_snapshot(question.socket, question.target, question.left_seconds())
    chosen = _chosen(question, options)
    from ldaphealth.cli.look import evaluated  # ldap3

    return evaluated(chosen, frozenset(CheckEffect))


def _chosen(question: PluginArguments, options: HostOptions) -> Selection:
    """Return what to look at, within what is left of the timeout."""
    if options.host:
        from ldaphealth.cli.by_host import host_selection

        return host_selection(options, question.entries, question.left_seconds())
    from ldaphealth.cli.targets import select  # YAML, which a host does without

    targets = [question.target] if question.target else []
    chosen = select(targets, question.config_file or CONFIG_FILE, None)
    left = question.left_seconds()
    in_time = [each.within(min(each.deadline_seconds, left)) for each in chosen.clusters]
    return replace(chosen, clusters=in_time)


def _tell(snapshot: Snapshot, question: PluginArguments, notes: tuple[str, ...]) -> NoReturn:
    """Judge the verdicts as the options say, print the answer and exit."""
    from ldaphealth.sinks.check_ldap import PluginOptions, render  # nagiosplugin

    seconds = Thresholds(question.warning, question.critical)
    options = PluginOptions(
        seconds, question.entries, frozenset(question.checks), bool(question.verbose), notes
    )
    try:
        told = render(snapshot, options)
    except LookupError as error:
        raise click.ClickException(str(error.args[0])) from error
    click.echo(told.text)
    sys.exit(told.exit_status)


def _arm_the_backstop(question: PluginArguments) -> None:
    """End the process with an answer when the timeout has passed, whatever holds it up."""
    state = State.UNKNOWN if question.agent else State.CRITICAL
    whose = "the agent gave no answer" if question.agent else "no answer"
    line = f"LDAP {state.name} - {whose} within {question.timeout:g} s\n"

    def give_up(_: int, __: FrameType | None) -> None:
        os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, line.encode("ascii"))
        os._exit(state.value)

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(
        signal.ITIMER_REAL, max(question.timeout + LATE_SECONDS - age_seconds(), LATE_SECONDS)
    )


def main() -> NoReturn:
    """Run the plugin. Whatever goes wrong is UNKNOWN with a line that says it, never a traceback.

    A traceback exits with 1, which is a WARNING.
    """
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        status = BAD_INPUT
    os._exit(status)  # as in __main__.py: the rest frees what ends anyway


def _run() -> int:
    try:
        ended = check_ldaphealth_command.main(prog_name=PROGRAM, standalone_mode=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else BAD_INPUT
    except click.UsageError as error:
        return _unknown(error.format_message(), f"see {PROGRAM} --help")
    except click.ClickException as error:
        return _unknown(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _unknown("interrupted")
    except Exception as error:
        traceback.print_exc()
        return _unknown(f"this is a defect, report it: {type(error).__name__}: {error}")
    return ended if isinstance(ended, int) else 0


def _unknown(why: str, hint: str = "") -> int:
    """Say why there is no answer: on a short first line and, where it does not fit, on a second."""
    whole = ascii_line("; ".join(why.replace("|", "/").splitlines()), WHY_CHARACTERS)
    line = f"LDAP {State.UNKNOWN.name} - {whole}"
    short = ascii_line(line, FIRST_LINE_CHARACTERS)
    more = whole if short != line else ""
    click.echo("\n".join(each for each in (short, more, hint) if each))
    return State.UNKNOWN.value
