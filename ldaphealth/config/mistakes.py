"""The mistakes in a configuration file, as lines of `path: message`."""

from __future__ import annotations

from collections.abc import Iterable

from ldaphealth.text.printable import printable

LONGEST_LINE = 400


class ConfigError(Exception):
    """A list of all mistakes in a configuration file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Problems:
    """The mistakes found so far, in that order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, what: str) -> None:
        """Add a mistake at a place, such as `clusters.example.suffix`."""
        self.lines.append(printable(f"{path or 'the file'}: {what}", LONGEST_LINE))

    def add_each(self, path: str, found: Iterable[tuple[str, str]]) -> None:
        """Add mistakes: pairs of a key at that place, or "" for the place itself, and a message."""
        for key, what in found:
            self.add(join(path, key) if key else path, what)

    def has_at(self, path: str) -> bool:
        """Return whether there is a mistake at this place or below it."""
        return self.has_below(path) or any(line.startswith(f"{path}:") for line in self.lines)

    def has_below(self, path: str) -> bool:
        """Return whether there is a mistake at a place below this one."""
        return any(line.startswith(f"{path}.") for line in self.lines)


def join(path: str, key: object) -> str:
    """Return the place of a key in the mapping at `path`, which is "" for the whole file."""
    return f"{path}.{key}" if path else str(key)
