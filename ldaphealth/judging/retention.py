"""What is kept of the observations of a server and check, so that its judge can read them later.

Pure. check.py has what an author of a check states of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from msgspec import Struct

from ldaphealth.check import MOST_NEWEST
from ldaphealth.settings import ConfiguredCheck

log = logging.getLogger(__name__)

Covers = Callable[[Any, Any], bool]  # Check.covers of any check; it never gets None
Merged = Callable[[Any, Any], Any]  # Check.merged, likewise

MOST_OLDER = 64
MOST_MERGED = 8  # observations, each of which stands for several


class Retention(Struct, frozen=True, kw_only=True):
    """What is kept of one server and check.

    At most `newest` observations are kept as they are. `older` limits those before them, which are
    kept only with `covers` or `merged`. `older_times`: the times of operations are kept of all, and
    not only of the newest one.
    """

    newest: int = MOST_NEWEST
    older: int = MOST_OLDER
    covers: Covers | None = None
    merged: Merged | None = None
    older_times: bool = True


WHOLE = Retention()


def retentions(checks: Iterable[ConfiguredCheck]) -> dict[str, Retention]:
    """Return what is kept of each check, by its name."""
    return {each.name: _retention(each) for each in checks}


def _retention(configured: ConfiguredCheck) -> Retention:
    name, check = configured.name, configured.check
    return Retention(
        newest=check.newest,
        older=MOST_OLDER if check.merged is None else MOST_MERGED,
        covers=None if check.covers is None else partial(_called, name, check.covers, False),
        merged=None if check.merged is None else partial(_called, name, check.merged, None),
        older_times=check.judges_older_times,
    )


def _called(
    check: str, function: Callable[[Any, Any], Any], failed: Any, earlier: Struct, later: Struct
) -> Any:
    """Call a function of a check. If it raises, both reads are kept and the agent goes on."""
    try:
        return function(earlier, later)
    except Exception:
        log.exception("check %s cannot compare two reads", check)
        return failed
