"""The daemon put together: directories, state, publishers, agent, socket, web server and signals.

`run_agent` is the whole of it; cli/agent.py calls it. Nothing here knows the command line: what
cannot start leaves as a StartError.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version

from msgspec import Struct

from ldaphealth.agent import service_manager
from ldaphealth.agent.agent import Agent
from ldaphealth.agent.answers import Answers
from ldaphealth.agent.reload import SettingsFile, reload_settings
from ldaphealth.agent.restart import recall_observations, remembered_memories, state_saver
from ldaphealth.agent.status import health_of, overrides_of
from ldaphealth.control.server import ControlServer
from ldaphealth.live.live_state import LiveState
from ldaphealth.publishers.publication import Publisher
from ldaphealth.publishers.track_file import BalancerFile, TrackFiles
from ldaphealth.publishers.verdict_file import VerdictFiles
from ldaphealth.settings import AgentSettings, Settings
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.kept_observations import kept_path
from ldaphealth.store.state_file import state_path

log = logging.getLogger(__name__)


class StartError(Exception):
    """Why the agent cannot start, in one line for people."""


class Daemon(Struct):
    """The running parts that signals and requests reach.

    `renew_web` reads the files of the web server again; it does nothing where there is none.
    """

    agent: Agent
    history: HistoryDatabase
    live_state: LiveState
    version: str
    renew_web: Callable[[], None] = lambda: None


def run_agent(settings: Settings, file: SettingsFile) -> None:
    """Run the agent until a signal ends it; StartError says why it cannot start.

    `settings` is what the file said first; SIGHUP has it read again.
    """
    with ExitStack() as stack:
        claim_directories(settings.agent, stack)
        make_track_directories(settings)
        daemon = _assembled(settings)
        _handle_signals(daemon, file)
        _open_control_socket(daemon, stack)
        _open_web_server(daemon, stack)
        _run(daemon)


def claim_directories(settings: AgentSettings, stack: ExitStack) -> None:
    """Make the directories of the agent and lock them, until the stack is closed.

    StartError: another agent uses one of them, or one cannot be made.
    """
    directories = settings.runtime_directory, settings.state_directory
    try:
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
        settings.verdict_directory.mkdir(exist_ok=True)
        for directory in directories:
            lock = stack.enter_context((directory / "agent.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartError(f"another agent uses {directory}") from error
    except OSError as error:
        hint = "agent.runtime_directory and agent.state_directory say where it may write"
        raise StartError(f"{error.filename}: {error.strerror}; {hint}") from error


def make_track_directories(settings: Settings) -> None:
    """Make them before keepalived starts: it drops a check whose directory is missing."""
    if not settings.agent.track_files:
        return
    try:
        for name in settings.clusters:
            (settings.agent.track_directory / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error


def _assembled(settings: Settings) -> Daemon:
    """Return the agent with its publishers and what it remembers; nothing runs yet."""
    mine = settings.agent
    history = HistoryDatabase(
        mine.state_directory / "history.sqlite3",
        keep_days=mine.history_days,
        max_bytes=mine.history_megabytes << 20,
    )
    live_state = LiveState()
    agent = Agent(
        settings,
        _publishers(mine, history, live_state),
        memories=remembered_memories(state_path(mine.state_directory)),
    )
    recall_observations(agent, kept_path(mine.state_directory))
    return Daemon(agent, history, live_state, version("ldaphealth"))


def _publishers(
    settings: AgentSettings, history: HistoryDatabase, live_state: LiveState
) -> list[Publisher]:
    publishers: list[Publisher] = [
        VerdictFiles(settings.verdict_directory),
        BalancerFile(settings.balancer_path),
        history,
    ]
    if settings.track_files:
        publishers.append(TrackFiles(settings.track_directory))
    if settings.http or settings.haproxy:
        publishers.append(live_state)
    return publishers


def _handle_signals(daemon: Daemon, file: SettingsFile) -> None:
    """Have TERM and INT end the agent, and HUP reload it or, if its terminal is gone, end it."""
    agent, has_terminal = daemon.agent, os.isatty(0)

    def end(*_: object) -> None:
        agent.stop()

    def hang_up(*_: object) -> None:
        if has_terminal and not os.isatty(0):
            agent.stop()
        else:
            agent.ask(lambda: reload_settings(agent, file, daemon.renew_web))

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, hang_up)


def _open_control_socket(daemon: Daemon, stack: ExitStack) -> None:
    """Save the state from now on, and answer on the socket; StartError when there can be none."""
    mine = daemon.agent.settings.agent
    saver = state_saver(
        daemon.agent,
        state_path(mine.state_directory),
        kept_path(mine.state_directory),
    )
    stack.callback(saver.close)
    answers = Answers(daemon.agent, daemon.history, saver.save, daemon.version)
    try:
        control = ControlServer(mine.socket_path, mine.socket_group, answers.answer)
    except (OSError, LookupError) as error:
        raise StartError(_socket_problem(mine, error)) from error
    stack.callback(control.close)


def _socket_problem(settings: AgentSettings, error: Exception) -> str:
    """Return why there is no socket, and what to do."""
    if isinstance(error, LookupError):
        problem = f"there is no group {settings.socket_group!r}"
    elif isinstance(error, PermissionError) and settings.socket_group:
        group = settings.socket_group
        problem = f"may not give the socket to group {group!r}: is the agent in it?"
    else:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return f"{settings.socket_path}: {reason}"
    return f"agent.socket_group: {problem}"


def _open_web_server(daemon: Daemon, stack: ExitStack) -> None:
    """Listen on the TCP ports of the configuration; StartError when one cannot be had."""
    agent = daemon.agent
    mine = agent.settings.agent
    if not (mine.http or mine.haproxy):
        return
    # asyncio and ssl, which an agent that is not asked by TCP does without
    from ldaphealth.web.server import ListenError, WebServer  # noqa: PLC0415
    from ldaphealth.web.source import Source  # noqa: PLC0415

    source = Source(
        board=daemon.live_state,
        settings=lambda: agent.settings,
        health=lambda: health_of(agent, daemon.history, daemon.version),
        overrides=lambda: overrides_of(agent),
        ticked_at=lambda: agent.ticked_at,
        listens=mine.listens,
    )
    try:
        web = WebServer(source, mine)
    except ListenError as error:
        raise StartError(str(error)) from error
    daemon.renew_web = web.renew
    stack.callback(web.close)


def _run(daemon: Daemon) -> None:
    agent = daemon.agent
    servers = sum(len(each.servers) for each in agent.settings.clusters.values())
    log.info("started", extra={"servers": servers, "pid": os.getpid()})
    service_manager.notify(service_manager.READY)
    agent.run(heartbeat=lambda: service_manager.notify(service_manager.ALIVE))
    service_manager.notify(service_manager.STOPPING)
    log.info("stopped", extra={"rounds": agent.counters.rounds})
