"""Notify the service manager of the state of the agent, as sd_notify(3) does.

assembly.py and reload.py call it. Without systemd there is no socket and nothing is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY = "READY=1"
RELOADING = "RELOADING=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(*assignments: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send assignments such as `READY` in one datagram. Errors are ignored."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket, unix(7)
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.settimeout(1.0)
            manager.sendto("\n".join(assignments).encode(), address)
    except OSError:
        return
