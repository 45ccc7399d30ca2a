"""Setting a damaged file aside under another name, so that nothing overwrites it."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from ldaphealth.clocks import EpochSeconds


def set_aside(path: Path, now: EpochSeconds) -> Path:
    """Rename a file to NAME.broken-SECONDS, and return the new path. OSError: it stays there."""
    aside = _free_path(path.with_name(f"{path.name}.broken-{int(now)}"))
    path.rename(aside)
    return aside


def _free_path(wanted: Path) -> Path:
    """Return the path, with a number if there is something: rename(2) would replace it."""
    if not wanted.is_symlink() and not wanted.exists():
        return wanted
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in count(2))
    return next(each for each in numbered if not each.is_symlink() and not each.exists())
