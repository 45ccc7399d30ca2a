"""Reload the configuration of a running agent: as a whole, or not at all.

After SIGHUP, or a request on the control socket, the agent's thread calls `reload_settings`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.agent import service_manager
from ldaphealth.agent.agent import Agent
from ldaphealth.clocks import epoch_seconds
from ldaphealth.config import ConfigError
from ldaphealth.config.cleartext import passwords_in_clear
from ldaphealth.config.shadow_differences import shadow_line
from ldaphealth.settings import Settings
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

log = logging.getLogger(__name__)

FAILED = "The last reload failed, and the configuration from before is in use"
LONGEST_SENTENCE = 400
LONGEST_PROBLEM = 200  # in the sentence, which has its next step at the end
KEPT = "the old configuration is kept"


class SettingsFile:
    """The configuration file of the agent, and the function that reads it.

    `read` raises ConfigError. Its problems are lines for the log.
    """

    def __init__(self, path: Path, read: Callable[[Path], Settings]) -> None:
        self.path, self._read = path, read

    def read(self) -> Settings:
        """Return the settings in the file now. A FIFO is refused: to open it waits for a writer."""
        if self.path.is_fifo() or self.path.is_char_device():
            raise ConfigError([f"{self.path}: is a FIFO or a device, not a regular file"])
        return self._read(self.path)


class Reload(Struct, frozen=True):
    """A reload on request: of which file, and what the agent's thread then calls.

    `run` returns what `reload_settings` returns.
    """

    path: Path
    run: Callable[[], bool]


def log_warnings(settings: Settings) -> None:
    """Log what works and is not safe, and the shadows, at a start and after a reload."""
    for line in passwords_in_clear(settings.clusters.values()):
        log.warning("not safe", extra={"warning": line})
    for cluster in settings.clusters.values():
        if line := shadow_line(cluster):
            log.info("shadow, which decides nothing", extra={"cluster": cluster.name, "has": line})


def reload_settings(agent: Agent, file: SettingsFile, reload_web: Callable[[], None]) -> bool:
    """Use the new configuration, or keep the old one and log the reason (`agent.reload_failure`).

    Return whether some of it takes effect after a restart only.

    `reload_web` reads the files of the web server again, even if the configuration has problems.
    The service manager is notified of the beginning and the end.
    """
    service_manager.notify(service_manager.RELOADING)
    needs_restart = False
    try:
        needs_restart = _reconfigure(agent, file)
        reload_web()
    except Exception as error:
        agent.reload_failure = printable(
            f"{FAILED}: {type(error).__name__}: {error}", LONGEST_SENTENCE
        )
        log.exception(KEPT)
    service_manager.notify(service_manager.READY)
    return needs_restart


def _reconfigure(agent: Agent, file: SettingsFile) -> bool:
    try:
        settings = file.read()
    except ConfigError as error:
        for line in "\n".join(error.problems).splitlines():
            log.error(KEPT, extra={"error": line})  # noqa: TRY400
        agent.reload_failure = _failure(file.path, error.problems)
        command = f"ldaphealth config check {file.path}"
        log.error(  # noqa: TRY400
            "not reloaded; a restart would fail",
            extra={"problems": len(error.problems), "what_to_do": command},
        )
        return False
    needs_restart = settings.agent != agent.settings.agent
    if needs_restart:
        log.warning("changes of `agent` need a restart")
    agent.reconfigure(replace(settings, agent=agent.settings.agent))  # those that it runs with
    agent.config_read_epoch_seconds, agent.reload_failure = epoch_seconds(), ""
    log.info("reloaded", extra={"path": str(file.path)})
    log_warnings(settings)
    return needs_restart


def _failure(path: Path, problems: Sequence[str]) -> str:
    """Return a sentence on a configuration that is not accepted: the first mistake, the next step.

    It is for `status`, the page and plugins, which have no room for all mistakes.
    """
    others = len(problems) - 1
    more = f" (and {quantity(others, 'more mistake')})" if others else ""
    first = printable(problems[0], LONGEST_PROBLEM)
    check = f"`ldaphealth config check {path}` lists all"
    return printable(f"{FAILED}: {first}{more}; a restart would fail; {check}", LONGEST_SENTENCE)
