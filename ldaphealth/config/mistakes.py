"""What is wrong with a configuration file: lines of `path: what would be right`."""

from __future__ import annotations

from ldaphealth.text.printable import printable

LONGEST_LINE = 400


class ConfigError(Exception):
    """All that is wrong with a configuration file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Problems:
    """The mistakes found so far, in the order in which they were found."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, what: str) -> None:
        """Note a mistake at a place, such as `clusters.example.suffix`."""
        self.lines.append(printable(f"{path or 'the file'}: {what}", LONGEST_LINE))

    def has_below(self, path: str) -> bool:
        """Return whether there is a mistake at a place below this one."""
        return any(line.startswith(f"{path}.") for line in self.lines)


def join(path: str, key: object) -> str:
    """Return the place of a key in a mapping; an empty key is the mapping itself."""
    return ".".join(filter(None, (path, str(key))))
