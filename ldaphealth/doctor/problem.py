"""What is wrong, how important that is, and the steps that mend it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Kind = Literal["command", "ldif", "setting"]


class Importance(Enum):
    """How important a problem is; the value is the exit status that it gives.

    `mend`: it should be mended. `breaks`: checks do not work, or servers are removed. `unusable`:
    no check can run with the configuration.
    """

    MEND = 1
    BREAKS = 2
    UNUSABLE = 3

    @property
    def word(self) -> str:
        """Return the word for it, the same in all outputs."""
        return self.name.lower()


class Step(Struct, frozen=True):
    """One step that mends a problem, or that shows more of it.

    A `command` is for a shell, on this host or `on` servers by their names. An `ldif` is LDIF
    (RFC 2849) for the administrator of the servers `on`, by their URIs; `starts_tls`: over
    StartTLS, as the agent. A `setting` is YAML for the configuration file.
    """

    kind: Kind
    text: str
    on: tuple[str, ...] = ()
    starts_tls: bool = False


def joined(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps in their order, each once, with all servers that it is for."""
    places: dict[Step, dict[str, None]] = {}
    for each in steps:
        places.setdefault(replace(each, on=()), {}).update(dict.fromkeys(each.on))
    return tuple(replace(each, on=tuple(on)) for each, on in places.items())


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `code` is stable between releases; texts are safe to print.

    `where` has the IDs of servers, or the paths of files.
    """

    importance: Importance
    code: str
    where: tuple[str, ...]
    what: str
    why: str
    remedy: str
    steps: tuple[Step, ...] = ()


class Examined(Struct, frozen=True):
    """The result of one examination: its problems, and what was examined, in a few words.

    `covered` is such as `4 of 4 servers`, or why there was nothing to examine.
    """

    problems: tuple[Problem, ...]
    covered: str
