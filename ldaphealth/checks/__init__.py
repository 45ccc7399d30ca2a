"""The table of the built-in checks, in the order of a session.

Another package adds a check by an entry point in the group `ldaphealth.checks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from ldaphealth.check import AnyCheck, Check


class CheckTable(Mapping[str, AnyCheck]):
    """Checks by name; the module of a check is loaded when it is looked up.

    A one-shot process is short, and half of its cost is loading modules.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> AnyCheck:
        check: AnyCheck = import_module(self._modules[name]).CHECK
        return check

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


BUILT_IN = CheckTable(
    {
        "connect": "ldaphealth.checks.connect",
        "bind": "ldaphealth.checks.bind",
        "certificate": "ldaphealth.checks.certificate",
        "search": "ldaphealth.checks.search",
        "compare": "ldaphealth.checks.compare",
        "write": "ldaphealth.checks.write",
        "login": "ldaphealth.checks.login",
        "replication": "ldaphealth.checks.replication",
        "consumer": "ldaphealth.checks.consumer",
        # after replication, which reads contextCSN before this reads the numbers
        "entry_count": "ldaphealth.checks.entry_count",
        "resources": "ldaphealth.checks.resources",
        "counters": "ldaphealth.checks.counters",
        # after all other operations of the session, which it subtracts
        "monitor": "ldaphealth.checks.monitor",
        # uses the times of the operations before it
        "latency": "ldaphealth.checks.latency",
        "unbind": "ldaphealth.checks.unbind",
        # summaries of whole sessions
        "session": "ldaphealth.checks.session",
        # surveys, which do not run in sessions of rounds
        "forecast": "ldaphealth.checks.forecast",
        "content": "ldaphealth.checks.content",
        "propagation": "ldaphealth.checks.propagation",
        "traffic": "ldaphealth.checks.traffic",
        "workload": "ldaphealth.checks.workload",
    }
)

# Off until a cluster names them: most have required settings. `counters` costs more than it tells
# where no metrics are read.
OFF_WITHOUT_SETTINGS = frozenset(
    {"compare", "write", "login", "counters", "content", "propagation", "traffic", "workload"}
)

LAST = "monitor"  # checks of other packages run before it
SESSION = frozenset({"connect", "bind", "unbind"})  # steps that every session has
GROUP = "ldaphealth.checks"
PACE = ("interval_seconds", "deadline_seconds")  # required in the settings of a survey (survey.py)


def find(name: str) -> AnyCheck:
    """Return a check by its name; LookupError lists the built-in ones."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    from importlib.metadata import entry_points  # noqa: PLC0415  slow, and rarely needed

    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if len(found) > 1:
        raise LookupError(f"several packages have a check named {name!r}")
    if not found:
        raise LookupError(f"no check is named {name!r}; built in are {', '.join(BUILT_IN)}")
    check = found[0].load()
    if not isinstance(check, Check) or check.name != name:
        raise LookupError(f"entry point {name!r} in {GROUP} is not a Check of that name")
    if check.survey is not None and not all(hasattr(check.params, each) for each in PACE):
        raise LookupError(f"the settings of check {name!r} lack {' or '.join(PACE)}")
    return check
