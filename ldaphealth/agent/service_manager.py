"""What the service manager is told of the agent: sd_notify(3), which is one datagram a word.

assembly.py and reload.py call it; without systemd there is no socket and nothing happens.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY = "READY=1"
RELOADING = "RELOADING=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(*words: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say something; whether anybody hears it is not our trouble."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket, unix(7)
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.settimeout(1.0)
            manager.sendto("\n".join(words).encode(), address)
    except OSError:
        return
