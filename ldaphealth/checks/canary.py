"""The only entries that an agent may write to: their names, their marks, and how to make them.

The checks that write and the people who set them up use this. There is one entry per agent, server
and purpose: two agents probe the same cluster, writes of two providers to one entry would conflict,
and the write check of the next round would overwrite what propagation still waits for.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Literal

from ldaphealth.model import Server

TOKEN_ATTRIBUTE = "description"  # noqa: S105  the only attribute that is ever changed
MARK_ATTRIBUTE = "ou"
Purpose = Literal["write", "propagation"]
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def this_agent() -> str:
    """Return the name of this machine as an agent's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "agent"


def canary_dn(container: str, agent: str, server: Server, purpose: Purpose = "write") -> str:
    """Return the entry's DN; both names must match `NAME`, so nothing needs escaping (RFC 4514)."""
    return f"cn={_cn(agent, server, purpose)},{container}"


def canary_mark(agent: str, server: Server, purpose: Purpose = "write") -> str:
    """Return the value that says: this entry is that agent's, to be written to."""
    return f"ldaphealth canary of {agent} for {_safe(server.id)}{_beside(purpose)}"


def canary_entry(
    agent: str, server: Server, purpose: Purpose = "write"
) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes of the entry; applicationProcess is in RFC 4519 3.3."""
    return {
        "objectClass": ("applicationProcess",),
        "cn": (_cn(agent, server, purpose),),
        MARK_ATTRIBUTE: (canary_mark(agent, server, purpose),),
        TOKEN_ATTRIBUTE: ("nothing written yet",),
    }


def _cn(agent: str, server: Server, purpose: Purpose) -> str:
    return f"{agent} {_safe(server.id)}{_beside(purpose)}"


def _beside(purpose: Purpose) -> str:
    """Return what tells the entries apart; those of `write` were there first, and have nothing."""
    return "" if purpose == "write" else f" {purpose}"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._/:-]", "-", name)
