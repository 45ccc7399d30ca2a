"""`check_ldaphealth`: the plugin for Nagios, Icinga and other programs that run such plugins.

It is a separate program. Its options mean the same as those of check_ldap (monitoring-plugins), so
that a service definition only needs another program name. docs/nagios.md compares both.
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
from ldaphealth.cli.host_options import HostOptions, as_check_ldap
from ldaphealth.cli.options import CONFIG_FILE, agent_place
from ldaphealth.cli.output_error import is_of_output, report_output_error
from ldaphealth.cli.plugin_options import IGNORED, PROGRAM, with_options
from ldaphealth.cli.private_memory import keep_memory_private
from ldaphealth.cli.process_age import age_seconds
from ldaphealth.cli.standard_streams import replace_closed_streams
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import CheckEffect, Snapshot, State
from ldaphealth.text.ascii_line import ascii_line

if TYPE_CHECKING:
    from ldaphealth.cli.selection import Selection

OUTPUT_SECONDS = 0.15  # of the timeout, to judge, print and exit
LATE_SECONDS = 0.1  # after the timeout, if the process has not ended by itself
LEAST_PART = 0.3  # of the timeout; with less, servers that are well would time out
FIRST_LINE_CHARACTERS = 79  # "less than 80"
WHY_CHARACTERS = 500
ON_COMMAND_LINE = (
    "the password was on the command line, where every user of this host can read it: "
    "use --password-file, or LDAP_PASSWORD in the environment"
)


class PluginArguments(Struct, frozen=True, kw_only=True):
    """The arguments, except those of one server."""

    timeout: float
    target: str
    config_file: Path | None
    agent: bool
    socket: Path | None
    checks: tuple[str, ...]
    verbose: int
    warning: Range | None
    critical: Range | None
    warn_entries: Range | None
    crit_entries: Range | None

    @property
    def entries(self) -> Thresholds | None:
        """Return the thresholds for the number of entries; None: entries are not counted."""
        thresholds = Thresholds(self.warn_entries, self.crit_entries)
        return None if thresholds == Thresholds() else thresholds

    def left_seconds(self) -> float:
        """Return the time that is left of the timeout, which includes the start of the program."""
        left = self.timeout - age_seconds() - OUTPUT_SECONDS
        return round(max(left, LEAST_PART * self.timeout), 1 if left > 1 else 2)


@click.command("check_ldaphealth", add_help_option=False)
@with_options
@click.pass_context
def check_ldaphealth_command(ctx: click.Context, /, **values: Any) -> None:
    """Report to Nagios or Icinga whether an LDAP server, or a cluster, is fit for service.

    With -H it does what check_ldap does: connect, bind, search, unbind. It has the options of
    check_ldap and prints the same perfdata. With --cluster it checks servers of the configuration
    with all their checks, including replication. With --agent it reports the verdicts of the
    running agent, without LDAP traffic.

    \b
    Exit status, and the state after LDAP in the first line:
      0 OK        in service, no problem
      1 WARNING   slower than -w, a check of the configuration warns, or drained
                  by an operator
      2 CRITICAL  out of service, slower than -c, no answer in time, or a host
                  of the configuration that does not resolve
      3 UNKNOWN   bad arguments, a host of -H that does not resolve, a local
                  failure, no answer from the agent, a stale verdict; also for
                  --help and --version

    Ranges are those of the plugin guidelines: 2 is "at most 2", 1: "at least 1", @1:5 "not 1 to 5".

    \b
    Examples:
      check_ldaphealth -H ldap1.example.com -b dc=example,dc=com -w 0.5 -c 2
      check_ldaphealth -H ldap1 -T -D cn=nagios,dc=example,dc=com \\
        --password-file FILE -b dc=example,dc=com -a '(uid=nagios)' -C 1:
      check_ldaphealth --cluster example --check replication
      check_ldaphealth --agent --cluster example/ldap1
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    for name in IGNORED:
        del values[name]
    given = {name: values.pop(name) for name in HostOptions.__struct_fields__}
    options = as_check_ldap(HostOptions(**given), sys.argv[0])
    arguments = PluginArguments(**values)
    config_named = ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    _refuse_contradictions(arguments, options, config_named=config_named)
    notes = (ON_COMMAND_LINE,) if options.password else ()
    _limit_process_time(arguments, notes)
    snapshot, more = _snapshot(arguments, options)
    _print_and_exit(snapshot, arguments, (*notes, *more))


def _refuse_contradictions(
    arguments: PluginArguments, options: HostOptions, *, config_named: bool
) -> None:
    # ca_file may come from the environment.
    of_one_server = replace(options, ca_file="") != HostOptions()
    by_cluster = bool(arguments.target or arguments.config_file)
    if options.host and (arguments.agent or arguments.target or config_named):
        raise click.UsageError("-H excludes --cluster, --config and --agent")
    if not options.host and not by_cluster and not arguments.agent:
        raise click.UsageError("nothing to check: use -H HOST, --cluster CLUSTER or --agent")
    if not options.host and (of_one_server or arguments.entries is not None):
        raise click.UsageError(
            "-p, -S, -T, --proxy-protocol, -b, -a, -D, -W, -C and passwords need -H"
        )
    if arguments.agent and config_named:
        raise click.UsageError("--agent excludes --config: the agent has its own configuration")


def _snapshot(arguments: PluginArguments, options: HostOptions) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the requested verdicts, from the agent or from checks of this process, and notes."""
    if arguments.agent:
        from ldaphealth.cli.agent_snapshot import agent_snapshot

        place = agent_place(arguments.socket, arguments.config_file)
        return agent_snapshot(place, arguments.target, arguments.left_seconds())
    selection = _selection(arguments, options)
    from ldaphealth.cli.evaluation import evaluate_selection  # ldap3

    found = evaluate_selection(
        selection, frozenset(CheckEffect), is_repeated=True, refuse_unresolved=True
    )
    return found, ()


def _selection(arguments: PluginArguments, options: HostOptions) -> Selection:
    """Return the servers to check, within the time that is left of the timeout."""
    if options.host:
        from ldaphealth.cli.by_host import host_selection

        return host_selection(options, arguments.entries, arguments.left_seconds())
    from ldaphealth.cli.targets import select  # PyYAML, not needed for -H

    targets = [arguments.target] if arguments.target else []
    selection = select(targets, arguments.config_file or CONFIG_FILE, None)
    left = arguments.left_seconds()
    in_time = [each.within(min(each.deadline_seconds, left)) for each in selection.clusters]
    return replace(selection, clusters=in_time)


def _print_and_exit(
    snapshot: Snapshot, arguments: PluginArguments, notes: tuple[str, ...]
) -> NoReturn:
    """Judge the verdicts by the options, print the result and exit."""
    from ldaphealth.sinks.check_ldap import PluginOptions, render  # nagiosplugin

    seconds = Thresholds(arguments.warning, arguments.critical)
    options = PluginOptions(
        seconds, arguments.entries, frozenset(arguments.checks), bool(arguments.verbose), notes
    )
    try:
        output = render(snapshot, options)
    except LookupError as error:
        raise click.ClickException(str(error.args[0])) from error
    click.echo(output.text)
    sys.exit(output.exit_status)


def _limit_process_time(arguments: PluginArguments, notes: tuple[str, ...]) -> None:
    """End the process with a result when the timeout has passed, whatever delays it."""
    state = State.UNKNOWN if arguments.agent else State.CRITICAL
    what = "the agent gave no answer" if arguments.agent else "no answer"
    first = f"LDAP {state.name} - {what} within {arguments.timeout:g} s"
    text = "".join(f"{line}\n" for line in (first, *notes))

    def exit_late(_: int, __: FrameType | None) -> None:
        os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, text.encode("ascii"))
        os._exit(state.value)

    signal.signal(signal.SIGALRM, exit_late)
    signal.setitimer(
        signal.ITIMER_REAL, max(arguments.timeout + LATE_SECONDS - age_seconds(), LATE_SECONDS)
    )


def main() -> NoReturn:
    """Run the plugin. Every error is UNKNOWN with a message on standard output.

    An exception that is not caught would exit with 1, which is WARNING.
    """
    keep_memory_private()
    replace_closed_streams()
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        status = BAD_INPUT
    except OSError as error:
        report_output_error(error, PROGRAM)
        status = BAD_INPUT
    os._exit(status)  # as in commands.py: a normal exit takes longer


def _run() -> int:
    try:
        status = check_ldaphealth_command.main(prog_name=PROGRAM, standalone_mode=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else BAD_INPUT
    except click.UsageError as error:
        return _unknown(error.format_message(), f"see {PROGRAM} --help")
    except click.ClickException as error:
        return _unknown(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _unknown("interrupted")
    except Exception as error:
        if isinstance(error, OSError) and is_of_output(error):
            raise
        return _defect(error)
    return status if isinstance(status, int) else 0


def _defect(error: Exception) -> int:
    traceback.print_exception(error)
    return _unknown(f"this is a defect, report it: {type(error).__name__}: {error}")


def _unknown(why: str, hint: str = "") -> int:
    """Print why there is no result: on a short first line, and in full on a second if needed."""
    whole = ascii_line("; ".join(why.replace("|", "/").splitlines()), WHY_CHARACTERS)
    line = f"LDAP {State.UNKNOWN.name} - {whole}"
    short = ascii_line(line, FIRST_LINE_CHARACTERS)
    more = whole if short != line else ""
    click.echo("\n".join(each for each in (short, more, hint) if each))
    return State.UNKNOWN.value
