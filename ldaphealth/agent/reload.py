"""Reading the configuration again while the agent runs: all of the new one, or all of the old one.

`assembly.py` calls `reload_settings` in the agent's own thread after SIGHUP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ldaphealth.agent import service_manager
from ldaphealth.agent.agent import Agent
from ldaphealth.config import ConfigError
from ldaphealth.settings import Settings

log = logging.getLogger(__name__)

KEPT = "the old configuration is kept"


class SettingsFile:
    """The configuration file of the agent, and the function that reads it.

    `read` raises ConfigError, whose problems are lines for the log.
    """

    def __init__(self, path: Path, read: Callable[[Path], Settings]) -> None:
        self.path, self._read = path, read

    def read(self) -> Settings:
        """Return what the file says now."""
        return self._read(self.path)


def reload_settings(agent: Agent, file: SettingsFile, renew_web: Callable[[], None]) -> None:
    """Take the new configuration, or keep the old one and log why.

    `renew_web` reads the files of the web server again, even when the configuration has
    problems. The service manager hears when it begins and when it is over.
    """
    service_manager.notify(service_manager.RELOADING)
    try:
        _take(agent, file)
        renew_web()
    except Exception:
        log.exception(KEPT)
    service_manager.notify(service_manager.READY)


def _take(agent: Agent, file: SettingsFile) -> None:
    try:
        settings = file.read()
    except ConfigError as error:
        for line in "\n".join(error.problems).splitlines():
            log.error(KEPT, extra={"error": line})  # noqa: TRY400
    else:
        if settings.agent != agent.settings.agent:
            log.warning("changes of `agent` need a restart")
        agent.reconfigure(settings)
        log.info("reloaded", extra={"path": str(file.path)})
