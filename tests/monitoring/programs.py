"""Where the monitoring systems are, and our plugin for them; the tests beside it call this."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.running_program import RunningProgram

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGIN_DIRECTORY = Path(sys.executable).parent
USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> RunningProgram:
    """Return a monitoring system in the foreground, which ends with all that it started.

    It is killed at once: an Icinga 2.13 that is asked to end was seen to stay for ever.
    """
    return RunningProgram(command, log, environment, own_session=True, stop_seconds=0.0)
