"""Start and stop the daemon: directories, state, publishers, agent, socket, web server, signals.

cli/agent.py calls `run_agent`. A part that cannot start raises StartError.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from msgspec import Struct

from ldaphealth import __version__
from ldaphealth.agent import service_manager
from ldaphealth.agent.agent import Agent
from ldaphealth.agent.answers import Answers
from ldaphealth.agent.directories import (
    ClaimedDirectory,
    DirectoryError,
    clear_temporary_files,
    own_tree,
)
from ldaphealth.agent.division import divide_state, forget_other_states
from ldaphealth.agent.free_memory import collect_seldom, use_one_arena
from ldaphealth.agent.journal import Journal
from ldaphealth.agent.log_format import write_counts
from ldaphealth.agent.reload import Reload, SettingsFile, log_warnings, reload_settings
from ldaphealth.agent.restart import load_memories, restore_observations, state_saver
from ldaphealth.agent.shadows import Shadows
from ldaphealth.agent.status import health_of, overrides_of
from ldaphealth.clocks import epoch_seconds
from ldaphealth.control.control_socket import ControlSocket
from ldaphealth.files.own_directory import PRIVATE, READABLE, make_directory
from ldaphealth.live.live_state import LiveState
from ldaphealth.publishers.publication import Publisher
from ldaphealth.publishers.shared_balancer import SharedBalancerFile
from ldaphealth.publishers.track_file import BalancerFile, TrackFiles
from ldaphealth.publishers.verdict_file import VerdictFiles
from ldaphealth.settings import AgentSettings, Settings
from ldaphealth.shard import WHOLE, Shard, shards_of
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_reading import history_path
from ldaphealth.store.kept_observations import kept_path
from ldaphealth.store.levels import bounds_of
from ldaphealth.store.override_files import override_directory
from ldaphealth.store.state_file import state_path

log = logging.getLogger(__name__)

NO_THREAD = "can't start new thread"  # the RuntimeError of threading.Thread.start


class StartError(Exception):
    """The agent cannot start. The message is one line with the reason."""


class Daemon(Struct, kw_only=True):
    """The parts of the daemon that signal handlers and requests use.

    `journal` is None if the settings keep none. `reload_web` reads the files of the web server
    again, `listens` has its addresses by service. Without a web server the one does nothing, and
    the other is empty.
    """

    agent: Agent
    history: HistoryDatabase
    live_state: LiveState
    shadows: Shadows
    version: str
    journal: Journal | None
    reload_web: Callable[[], None] = lambda: None
    listens: Mapping[str, str] = {}


def run_agent(settings: Settings, file: SettingsFile) -> None:
    """Run the agent until a signal stops it. StartError: it cannot start.

    `settings` is the content of `file` at the start. After SIGHUP the file is read again.
    """
    use_one_arena()
    _permit_sockets()
    with _refused_threads(), ExitStack() as stack:
        runtime = claim_directories(settings.agent, stack, settings.shard)
        make_track_directories(settings)
        daemon = _assembled(settings)
        del settings  # the agent has it; its passwords must not outlive a reload here
        if daemon.journal is not None:
            stack.callback(daemon.journal.close)
        _handle_signals(daemon, file)
        _open_web_server(daemon, stack)
        _open_control_socket(daemon, file, runtime, stack)
        collect_seldom()
        _run(daemon)


def _permit_sockets() -> None:
    """Let the agent have as many sockets at once as the system permits: two a server, and more.

    The soft limit is 1,024 for programs that use select(2).
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # it is above fs.nr_open, proc_sys_fs(5)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _refused_threads() -> Iterator[None]:
    """Raise StartError if the system refuses a thread.

    Later the agent goes on with the threads that exist, but without the first ones nothing works.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        raise StartError(
            "the system refuses another thread: raise TasksMax= of the service (pids.max of its "
            "cgroup) or the limit of processes of its user (ulimit -u)"
        ) from error


def claim_directories(
    settings: AgentSettings, stack: ExitStack, shard: Shard = WHOLE
) -> ClaimedDirectory:
    """Create or check the directories of the agent and lock them until the stack is closed.

    Return the runtime directory. StartError: another agent uses one of them, another user could
    change the files in one, or one cannot be created.
    """
    try:
        runtime = ClaimedDirectory(settings.runtime_directory, READABLE, shard)
        stack.callback(runtime.close)
        divide = partial(divide_state, settings.state_directory)
        state = ClaimedDirectory(settings.state_directory, PRIVATE, shard, divide)
        stack.callback(state.close)
        forget_other_states(settings.state_directory, shard.count)
        own_tree(settings.verdict_directory)
        if settings.track_directory.exists():
            own_tree(settings.track_directory)
    except DirectoryError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error
    if state.left_by:
        message = "the agent before this one was killed, or the machine stopped"
        log.warning(message, extra={"pid": state.left_by})
    cleared = clear_temporary_files(
        (shard.below(settings.runtime_directory), shard.below(settings.state_directory)),
        (
            override_directory(settings.state_directory),
            settings.verdict_directory,
            settings.track_directory,
        ),
        shard,
    )
    if cleared:
        log.info(
            "unfinished files of an agent that was killed are removed", extra={"files": cleared}
        )
    return runtime


def make_track_directories(settings: Settings) -> None:
    """Create them before keepalived starts: it drops a check whose directory is missing."""
    if not settings.agent.track_files:
        return
    try:
        for name in settings.clusters:
            make_directory(settings.agent.track_directory / name)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error


def _assembled(settings: Settings) -> Daemon:
    """Return the agent with its publishers and its saved state. Its loop does not run yet."""
    options, directory = settings.agent, settings.own_state_directory
    history = HistoryDatabase(history_path(directory), bounds_of(options.history))
    live_state = LiveState()
    shadows = Shadows([history, live_state])  # no file for a balancer, and no answer for one
    agent = Agent(
        settings,
        [*_publishers(settings, history, live_state), shadows],
        memories=load_memories(state_path(directory), settings.shard),
        past=history.past,
    )
    agent.config_read_epoch_seconds = epoch_seconds()
    restore_observations(agent, kept_path(directory))
    agent.follow(shadows.note)
    return Daemon(
        agent=agent,
        history=history,
        live_state=live_state,
        shadows=shadows,
        version=__version__,
        journal=_journal(agent),
    )


def _journal(agent: Agent) -> Journal | None:
    """Return the journal, which has the state that the agent begins with; None if none is kept."""
    options = agent.settings.agent.journal
    if not options.days:
        return None
    journal = Journal(agent.settings.own_state_directory, options, __version__)
    agent.follow(journal.follow)
    return journal


def _publishers(
    whole: Settings, history: HistoryDatabase, live_state: LiveState
) -> list[Publisher]:
    settings = whole.agent
    publishers: list[Publisher] = [
        VerdictFiles(settings.verdict_directory),
        _balancer_file(whole),
        history,
    ]
    if settings.track_files:
        publishers.append(TrackFiles(settings.track_directory))
    if settings.http or settings.haproxy:
        publishers.append(live_state)
    return publishers


def _balancer_file(settings: Settings) -> BalancerFile:
    path, shard = settings.agent.balancer_path, settings.shard
    if shard.is_whole:
        return BalancerFile(path)
    shards = [each.below(settings.agent.runtime_directory) for each in shards_of(shard.count)]
    return SharedBalancerFile(path, settings.own_runtime_directory, shards)


def _handle_signals(daemon: Daemon, file: SettingsFile) -> None:
    """Stop the agent on SIGTERM and SIGINT, and on SIGHUP if its terminal is gone; else reload."""

    def stop(*_: object) -> None:
        daemon.agent.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, _HangUp(daemon, file))
    # The entry point of the program blocks it. One that came meanwhile is handled now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


class _HangUp:
    """The handler of SIGHUP. A reload that has not begun yet serves all signals before it.

    So many signals do not queue as many reloads, which would delay the rounds.
    """

    def __init__(self, daemon: Daemon, file: SettingsFile) -> None:
        self._daemon, self._file = daemon, file
        self._is_waiting = False

    def __call__(self, *_: object) -> None:
        if _is_terminal_gone():
            self._daemon.agent.stop()
        elif not self._is_waiting:
            self._is_waiting = True
            self._daemon.agent.submit(self._reload)

    def _reload(self) -> None:
        self._is_waiting = False
        reload_settings(self._daemon.agent, self._file, self._daemon.reload_web)


def _is_terminal_gone() -> bool:
    """Return whether standard input is a terminal that was closed.

    Then requests to it fail with EIO; what never was a terminal refuses them with ENOTTY.
    """
    try:
        os.tcgetpgrp(0)
    except OSError as error:
        return error.errno == errno.EIO
    return False


def _open_control_socket(
    daemon: Daemon, file: SettingsFile, runtime: ClaimedDirectory, stack: ExitStack
) -> None:
    """Start to save the state and to answer on the control socket. StartError: no socket."""
    settings = daemon.agent.settings
    saver = state_saver(daemon.agent, settings.own_state_directory)
    stack.callback(saver.close)
    answers = Answers(
        daemon.agent,
        daemon.history,
        saver.save_important,
        daemon.version,
        journal=daemon.journal,
        listens=daemon.listens,
        shadows=daemon.shadows,
        save_observations=saver.save_beside,
        reload=Reload(file.path, lambda: reload_settings(daemon.agent, file, daemon.reload_web)),
    )
    try:
        control = ControlSocket(
            settings.own_socket_path,
            settings.agent.socket_group,
            answers.answer,
            runtime.claim_again,
        )
    except (OSError, LookupError) as error:
        raise StartError(_socket_problem(settings, error)) from error
    stack.callback(control.close)


def _socket_problem(settings: Settings, error: Exception) -> str:
    """Return the reason why there is no socket, with the key of the configuration if one is."""
    group = settings.agent.socket_group
    if isinstance(error, LookupError):
        problem = f"there is no group {group!r}"
    elif isinstance(error, PermissionError) and group:
        problem = f"no permission to give the socket to group {group!r}; is the agent a member?"
    else:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return f"{settings.own_socket_path}: {reason}"
    return f"agent.socket_group: {problem}"


def _open_web_server(daemon: Daemon, stack: ExitStack) -> None:
    """Listen on the configured TCP ports. StartError: one cannot be opened."""
    agent = daemon.agent
    options = agent.settings.agent
    if not (options.http or options.haproxy):
        return
    # They load asyncio and ssl, which an agent without a TCP port does not need.
    from ldaphealth.web.server import ListenError, WebServer  # noqa: PLC0415
    from ldaphealth.web.source import Source  # noqa: PLC0415

    source = Source(
        live_state=daemon.live_state,
        settings=lambda: agent.settings,
        health=lambda: health_of(agent, daemon.history, daemon.version, daemon.journal),
        overrides=lambda: overrides_of(agent),
        ticked_at=lambda: agent.ticked_at,
        probe=agent.probe,
        history=history_path(agent.settings.own_state_directory),
    )
    try:
        web = WebServer(source, options)
    except ListenError as error:
        raise StartError(f"{error}{_shard_words(agent.settings.shard)}") from error
    daemon.reload_web, daemon.listens = web.reload, web.listens
    stack.callback(web.close)


def _shard_words(shard: Shard) -> str:
    return "" if shard.is_whole else f" (shard {shard}: docs/how-to/shards.md has which ports)"


def _run(daemon: Daemon) -> None:
    agent, shard = daemon.agent, daemon.agent.settings.shard
    servers = sum(len(each.servers) for each in agent.settings.clusters.values())
    own = {} if shard.is_whole else {"shard": str(shard), "clusters": len(agent.pools)}
    log.info("started", extra={"servers": servers, "pid": os.getpid(), **own})
    if not agent.pools:
        log.info("no cluster belongs to this shard; it waits for a reload that gives it one")
    log_warnings(agent.settings)
    service_manager.notify(service_manager.READY)
    agent.run(heartbeat=_heartbeat)
    service_manager.notify(service_manager.STOPPING)
    write_counts(everything=True)
    log.info("stopped", extra={"rounds": agent.counters.rounds})


def _heartbeat() -> None:
    service_manager.notify(service_manager.ALIVE)
    write_counts()
