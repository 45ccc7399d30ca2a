"""The built-in checks in one literal table, in the order of a session.

A third party adds one with an entry point in the group `ldaphealth.checks` that names a `Check`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ldaphealth.check import Check
from ldaphealth.checks import (
    bind,
    compare,
    connect,
    consumer,
    content,
    latency,
    monitor,
    replication,
    resources,
    search,
    unbind,
    write,
)

BUILT_IN: Mapping[str, Check] = {
    "connect": connect.CHECK,
    "bind": bind.CHECK,
    "search": search.CHECK,
    "compare": compare.CHECK,
    "write": write.CHECK,
    "replication": replication.CHECK,
    "consumer": consumer.CHECK,
    "resources": resources.CHECK,
    "monitor": monitor.CHECK,  # after all other operations of a session, which it discounts
    "content": content.CHECK,  # a survey: beside the rounds, not in a session
    "latency": latency.CHECK,  # of the times that the session has by now
    "unbind": unbind.CHECK,
}

LAST = "monitor"  # checks of other packages come before it
SESSION = frozenset({"connect", "bind", "unbind"})  # steps that every session has
GROUP = "ldaphealth.checks"
PACE = ("interval_seconds", "deadline_seconds")  # what the settings of a survey say (survey.py)


def find(name: str) -> Check:
    """Return a check by its name; LookupError says what there is instead."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    from importlib.metadata import entry_points  # noqa: PLC0415  slow, and rarely needed

    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if len(found) > 1:
        raise LookupError(f"two packages offer a check named {name!r}")
    if not found:
        raise LookupError(f"no check is named {name!r}; built in are {', '.join(BUILT_IN)}")
    check = found[0].load()
    if not isinstance(check, Check) or check.name != name:
        raise LookupError(f"entry point {name!r} in {GROUP} is not a Check of that name")
    if check.survey is not None and not all(hasattr(check.params, each) for each in PACE):
        raise LookupError(f"the settings of check {name!r} lack {' or '.join(PACE)}")
    return check
