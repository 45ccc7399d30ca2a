"""`ldaphealth agent`: start the daemon, and end or reload it as signals say."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.cli.targets import config_option, load_config

if TYPE_CHECKING:
    from ldaphealth.agent.agent import Agent
    from ldaphealth.guard import Memory
    from ldaphealth.live.live_state import LiveState
    from ldaphealth.publishers.publication import Publisher
    from ldaphealth.settings import AgentSettings, Settings
    from ldaphealth.store.history import HistoryDatabase
    from ldaphealth.web.server import WebServer

log = logging.getLogger(__name__)


@click.command()
@config_option
@click.option("--debug", is_flag=True, help="Log every round, not only changes of verdict.")
def agent(config_file: Path, debug: bool) -> None:
    """Look at all servers for ever, and tell whoever asks.

    It remembers what it saw, so that one slow answer removes nobody, and tells keepalived, HAProxy,
    Prometheus and you. It stays in the foreground and logs to standard error, as a service manager
    wants it.

    \b
    Signals: TERM and INT end it; HUP reads the configuration again, and keeps the old one if the
    new one is wrong. It ends with the terminal that it was started from.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.agent.log_format import configure  # noqa: PLC0415  heavy: not for `--help`

    settings = load_config(config_file)
    configure(settings.agent.log_format, logging.DEBUG if debug else logging.INFO)
    with ExitStack() as stack:
        _claim(settings.agent, stack)
        _make_track_directories(settings)
        _serve(settings, config_file, stack)


def _claim(settings: AgentSettings, stack: ExitStack) -> None:
    """Make the directories, and be the only agent that uses them."""
    try:
        for directory in (settings.runtime_directory, settings.state_directory):
            directory.mkdir(parents=True, exist_ok=True)
        settings.verdict_directory.mkdir(exist_ok=True)
        for directory in (settings.runtime_directory, settings.state_directory):
            lock = stack.enter_context((directory / "agent.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise click.ClickException(f"another agent uses {directory}") from error
    except OSError as error:
        hint = "agent.runtime_directory and agent.state_directory say where it may write"
        raise click.ClickException(f"{error.filename}: {error.strerror}; {hint}") from error


def _make_track_directories(settings: Settings) -> None:
    """Make them before keepalived starts: it drops a check whose directory is missing."""
    if not settings.agent.track_files:
        return
    try:
        for name in settings.clusters:
            (settings.agent.track_directory / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _serve(settings: Settings, config_file: Path, stack: ExitStack) -> None:
    from ldaphealth.agent import service_manager  # noqa: PLC0415
    from ldaphealth.agent.agent import Agent  # noqa: PLC0415
    from ldaphealth.agent.answers import Answers  # noqa: PLC0415
    from ldaphealth.control.server import ControlServer  # noqa: PLC0415
    from ldaphealth.ldap.deadline import boot_seconds  # noqa: PLC0415
    from ldaphealth.live.live_state import LiveState  # noqa: PLC0415
    from ldaphealth.publishers.track_file import BalancerFile, TrackFiles  # noqa: PLC0415
    from ldaphealth.publishers.verdict_file import VerdictFiles  # noqa: PLC0415
    from ldaphealth.store import kept_observations, state_file  # noqa: PLC0415
    from ldaphealth.store.history import HistoryDatabase  # noqa: PLC0415

    ours = settings.agent
    journal = HistoryDatabase(
        ours.state_directory / "history.sqlite3",
        keep_days=ours.history_days,
        max_bytes=ours.history_megabytes << 20,
    )
    state = state_file.path_in(ours.state_directory)
    publishers: list[Publisher] = [
        VerdictFiles(ours.verdict_directory),
        BalancerFile(ours.balancer_path),
        journal,
    ]
    if ours.track_files:
        publishers.append(TrackFiles(ours.track_directory))
    board = LiveState()
    if ours.http or ours.haproxy:
        publishers.append(board)
    running = Agent(settings, publishers, memories=_remembered(state))
    reads = kept_observations.path_in(ours.state_directory)
    _recall(running, reads)
    keeper = state_file.StateSaver(
        state, partial(_memories, running), boot_seconds, partial(_save_reads, running, reads)
    )
    stack.callback(keeper.close)
    answers = Answers(running, journal, keeper.save, version("ldaphealth"))
    try:
        control = ControlServer(ours.socket_path, ours.socket_group, answers.answer)
    except (OSError, LookupError) as error:
        raise click.ClickException(_no_socket(ours, error)) from error
    stack.callback(control.close)
    web = _web(running, board, journal, stack) if ours.http or ours.haproxy else None
    reload = partial(_reload, running, config_file, web)
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    signal.signal(signal.SIGINT, lambda *_: running.stop())
    of_a_terminal = os.isatty(0)

    def hang_up(*_: object) -> None:
        if of_a_terminal and not os.isatty(0):  # the terminal is gone: nobody wants it any more
            running.stop()
        else:
            running.ask(reload)

    signal.signal(signal.SIGHUP, hang_up)
    servers = sum(len(each.servers) for each in settings.clusters.values())
    log.info("started", extra={"servers": servers, "pid": os.getpid()})
    service_manager.notify(service_manager.READY)
    running.run(heartbeat=lambda: service_manager.notify(service_manager.ALIVE))
    service_manager.notify(service_manager.STOPPING)
    log.info("stopped", extra={"rounds": running.counters.rounds})


def _web(running: Agent, board: LiveState, journal: HistoryDatabase, stack: ExitStack) -> WebServer:
    """Start what is asked by TCP; click.ClickException when it cannot listen."""
    from ldaphealth.agent.answers import health_of, overrides_of  # noqa: PLC0415
    from ldaphealth.web.server import ListenError, WebServer  # noqa: PLC0415
    from ldaphealth.web.source import Source  # noqa: PLC0415

    number = version("ldaphealth")  # read from the disk
    source = Source(
        board=board,
        settings=lambda: running.settings,
        health=lambda: health_of(running, journal, number),
        overrides=lambda: overrides_of(running),
        ticked_at=lambda: running.ticked_at,
        listens=running.settings.agent.listens,
    )
    try:
        web = WebServer(source, running.settings.agent)
    except ListenError as error:
        raise click.ClickException(str(error)) from error
    stack.callback(web.close)
    return web


def _no_socket(ours: AgentSettings, error: Exception) -> str:
    """Return why nobody can ask, and what to do."""
    if isinstance(error, LookupError):
        what = f"there is no group {ours.socket_group!r}"
    elif isinstance(error, PermissionError) and ours.socket_group:
        what = f"may not give the socket to group {ours.socket_group!r}: is the agent in it?"
    else:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return f"{ours.socket_path}: {reason}"
    return f"agent.socket_group: {what}"


def _remembered(state: Path) -> dict[str, Memory]:
    """Return what was known before a restart; a broken file is told and set aside."""
    from ldaphealth.ldap.deadline import boot_seconds  # noqa: PLC0415
    from ldaphealth.store import state_file  # noqa: PLC0415

    try:
        return state_file.load(state, boot_seconds())
    except (ValueError, OSError) as error:
        log.error("the state is lost: overrides too", extra={"error": str(error)})  # noqa: TRY400
        return {}


def _memories(running: Agent) -> dict[str, Memory]:
    return {name: pool.memory for name, pool in running.pools.items()}


def _recall(running: Agent, path: Path) -> None:
    """Let the pools know what was seen before a restart; a broken file is told and not used."""
    from ldaphealth.store import kept_observations  # noqa: PLC0415

    try:
        remembered = kept_observations.load(path)
    except (ValueError, OSError) as error:
        log.warning("since when servers lack changes is not known", extra={"error": str(error)})
        return
    for pool in running.pools.values():
        pool.recent.recall(remembered.of(pool.cluster), current=remembered.current)


def _save_reads(running: Agent, path: Path) -> None:
    from ldaphealth.store import kept_observations  # noqa: PLC0415

    pools = running.pools.values()
    try:
        kept_observations.save(path, [(pool.cluster, pool.select_kept()) for pool in pools])
    except OSError:
        raise  # the keeper tells it, once
    except Exception:  # a third party's mistake must not end the thread that saves everything
        log.exception("what was read cannot be saved")


def _reload(running: Agent, config_file: Path, web: WebServer | None) -> None:
    """Take the new configuration, or keep the old one and say why."""
    from ldaphealth.agent import service_manager  # noqa: PLC0415

    service_manager.notify(service_manager.RELOADING)
    try:
        _take(running, config_file)
        if web:
            web.renew()
    except Exception:
        log.exception("the old configuration is kept")
    service_manager.notify(service_manager.READY)


def _take(running: Agent, config_file: Path) -> None:
    try:
        settings = load_config(config_file)
    except click.ClickException as error:
        for line in error.format_message().splitlines():
            log.error("the old configuration is kept", extra={"error": line})  # noqa: TRY400
    else:
        if settings.agent != running.settings.agent:
            log.warning("changes of `agent` need a restart")
        running.reconfigure(settings)
        log.info("reloaded", extra={"path": str(config_file)})
