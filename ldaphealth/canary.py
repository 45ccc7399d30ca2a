"""The one entry that an agent may write to: its name, its mark, and how to make it.

The write check and the people who set it up use this. There is one entry per agent and server:
two agents probe the same cluster, and writes of two providers to one entry would conflict.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

from ldaphealth.model import Server

TOKEN_ATTRIBUTE = "description"  # noqa: S105  the only attribute that is ever changed
MARK_ATTRIBUTE = "ou"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def this_agent() -> str:
    """Return the name of this machine as an agent's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "agent"


def canary_dn(container: str, agent: str, server: Server) -> str:
    """Return the entry's DN; both names must match `NAME`, so nothing needs escaping (RFC 4514)."""
    return f"cn={agent} {_safe(server.id)},{container}"


def mark(agent: str, server: Server) -> str:
    """Return the value that says: this entry is that agent's, to be written to."""
    return f"ldaphealth canary of {agent} for {_safe(server.id)}"


def canary(agent: str, server: Server) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes of the entry; applicationProcess is in RFC 4519 3.3."""
    return {
        "objectClass": ("applicationProcess",),
        "cn": (f"{agent} {_safe(server.id)}",),
        MARK_ATTRIBUTE: (mark(agent, server),),
        TOKEN_ATTRIBUTE: ("nothing written yet",),
    }


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._/:-]", "-", name)
