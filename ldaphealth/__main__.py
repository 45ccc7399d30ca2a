"""The entry point of the program. It imports little before the agent's signals are safe."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the program. It ends with the exit status of the command."""
    if sys.argv[1:2] == ["agent"]:
        _hold_signals()
    from ldaphealth.cli import commands

    commands.main()


def _hold_signals() -> None:
    """Keep SIGHUP pending until the agent can handle it, and end at once on SIGTERM and SIGINT.

    Their default actions would kill the agent on SIGHUP (signal(7)) while it loads its modules, its
    configuration and its state. Until assembly.py handles them nothing needs to be finished.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


if __name__ == "__main__":
    main()
