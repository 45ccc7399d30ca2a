"""The canaries, the only entries that an agent writes to: their DNs, marks and attributes.

The checks that write use them, and `ldaphealth canary`. There is one entry per agent, server and
purpose: two agents may probe the same cluster, writes of two providers to one entry would conflict,
and the write check of the next round would overwrite the token of a propagation check.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Literal

from ldaphealth.ldap.names import is_attribute
from ldaphealth.model import Server

TOKEN_ATTRIBUTE = "description"  # noqa: S105  the only attribute that is changed
MARK_ATTRIBUTE = "ou"
OBJECT_CLASS = "applicationProcess"  # RFC 4519 3.3
ABOUT_OBJECT_CLASS = (
    f"the object class of the canaries, or a list of several; it must permit `cn`, "
    f"`{MARK_ATTRIBUTE}` and `{TOKEN_ATTRIBUTE}`, as `device` and `organizationalRole` do, and "
    "`contact` in Active Directory, where `applicationProcess` may not be added"
)
Purpose = Literal["write", "propagation"]
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def check_names(container: str, agent: str, object_class: str | tuple[str, ...]) -> None:
    """Raise ValueError if these settings give no DN of a canary."""
    if not container:
        raise ValueError("container is empty; it is the DN of an entry that exists")
    for name in classes(object_class) or ("",):
        if not is_attribute(name):  # the same syntax, RFC 4512 4.1.1
            raise ValueError(f"object_class: {name!r} is not the name of a class, such as device")
    if agent and not NAME.fullmatch(agent):
        raise ValueError("agent must consist of letters, digits, dots, dashes and underscores")


def classes(object_class: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the object classes of a setting, which may be one."""
    return (object_class,) if isinstance(object_class, str) else object_class


def this_agent() -> str:
    """Return the host name as the name of the agent."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "agent"


def canary_dn(container: str, agent: str, server: Server, purpose: Purpose = "write") -> str:
    """Return the DN of a canary; no character of its RDN needs escaping (RFC 4514)."""
    return f"cn={_cn(agent, server, purpose)},{container}"


def canary_mark(agent: str, server: Server, purpose: Purpose = "write") -> str:
    """Return the mark: the value that an entry must have before that agent writes to it."""
    return f"ldaphealth canary of {agent} for {_safe(server.id)}{_suffix(purpose)}"


def canary_entry(
    agent: str,
    server: Server,
    purpose: Purpose = "write",
    object_class: str | tuple[str, ...] = OBJECT_CLASS,
) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes of a canary."""
    return {
        "objectClass": classes(object_class),
        "cn": (_cn(agent, server, purpose),),
        MARK_ATTRIBUTE: (canary_mark(agent, server, purpose),),
        TOKEN_ATTRIBUTE: ("nothing written yet",),
    }


def _cn(agent: str, server: Server, purpose: Purpose) -> str:
    return f"{agent} {_safe(server.id)}{_suffix(purpose)}"


def _suffix(purpose: Purpose) -> str:
    """Return what distinguishes the entries; those of `write` are the oldest, and have none."""
    return "" if purpose == "write" else f" {purpose}"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._/:-]", "-", name)
