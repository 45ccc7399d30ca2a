"""What a row of the table of faults is; `bench/faults/table.py` has the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from bench.faults.evidence import Evidence
from bench.faults.site import Shape, Site

HOLD_SECONDS = 14.0
Step = Callable[[Site], object]


class Kind(Enum):
    """What a row expects of a checker."""

    FAULT = "fault"  # servers must go out
    CONTROL = "control"  # something happens, and every server must stay
    COMPOUND = "compound"  # a fault of some servers together with what is none of another


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: what is injected, the truth about each server, how it is shown and undone.

    - `out`: the servers that must go out, because clients do not get from them what they get from
      the others. All others must stay, but for those in `open`, for which either is right.
    - `later_seconds`: for how long the injection has run when the fault of one of those begins.
    - `shows`: what a control probe must see at a server before the fault is undone; at servers that
      are not named it must see a healthy one.
    - `caught_by` names the setting that finds a fault that is missed, and its price.
    - `prepare` comes before the checkers are started.
    """

    name: str
    kind: Kind
    injected: str
    inject: Step
    undone: str
    shows: Mapping[int, Evidence] = field(default_factory=dict)
    out: tuple[int, ...] = ()
    open: tuple[int, ...] = ()
    later_seconds: Mapping[int, float] = field(default_factory=dict)
    prepare: Step = lambda _: None
    undo: Step = Site.heal
    hold_seconds: float = HOLD_SECONDS
    caught_by: str = ""
    shape: Shape = field(default_factory=Shape)


def in_order(*steps: Step) -> Step:
    """Return one step that takes these, one after the other."""

    def take(site: Site) -> None:
        for step in steps:
            step(site)

    return take
