"""The mistakes in a configuration file, as lines of `path: message`."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ldaphealth.text.printable import printable

LONGEST_LINE = 400


class Mistake(Struct, frozen=True):
    """One mistake as a sentence; `command` corrects it, as words for a shell, if one does."""

    text: str
    command: tuple[str, ...] = ()

    def of(self, place: str, hint: str = "") -> Mistake:
        """Return the mistake with its place, such as the path of the file, and a next step."""
        return Mistake(f"{place}: {self.text}{hint}", self.command)


class ConfigError(Exception):
    """A list of all mistakes in a configuration file."""

    def __init__(self, mistakes: Iterable[Mistake | str]) -> None:
        self.mistakes = [each if isinstance(each, Mistake) else Mistake(each) for each in mistakes]
        super().__init__("; ".join(self.problems))

    @property
    def problems(self) -> list[str]:
        """Return the mistakes as sentences."""
        return [each.text for each in self.mistakes]


class Problems:
    """The mistakes found so far, in that order."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    @property
    def lines(self) -> list[str]:
        """Return the mistakes as sentences."""
        return [each.text for each in self.mistakes]

    def add(self, path: str, what: str, command: tuple[str, ...] = ()) -> None:
        """Add a mistake at a place, such as `clusters.example.suffix`."""
        text = printable(f"{path or 'the file'}: {what}", LONGEST_LINE)
        self.mistakes.append(Mistake(text, command))

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
