"""Read keepalived.conf as far as it concerns the scripts of ldaphealth (keepalived.conf(5)).

It is tolerant: what is not understood is skipped. Sizes, depth and included files are bounded.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from glob import iglob
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from ldaphealth.files.regular_file import read_regular_file

MAX_BYTES = 1 << 20
MOST_FILES = 64
MOST_LINES = 50_000
MOST_DEPTH = 32
MOST_CHECKS = 4096
SCRIPT = "ldaphealth-check"
DYNAMIC = "--dynamic"
LIMIT_VARIABLE = "LDAPHEALTH_SECONDS="
DEFAULT_DELAY_LOOP_SECONDS = 60.0  # keepalived.conf(5)
WORD = re.compile(r'"(?P<quoted>[^"]*)"?|(?P<comment>[#!].*)|(?P<brace>[{}])|(?P<plain>[^\s{}"]+)')
INCLUDES = frozenset({"include", "includer", "includem", "includew", "includeb"})
NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", re.ASCII)

Read = Callable[[Path], str]


class MiscCheck(Struct, frozen=True, kw_only=True):
    """One MISC_CHECK that runs our script: where it stands, and its settings; seconds.

    `server` is CLUSTER/SERVER as written. `timeout_seconds` is `misc_timeout`, None if it is not
    set; then `delay_loop` counts. `limit_seconds` is LDAPHEALTH_SECONDS if the line sets it.
    """

    file: str
    line: int
    script: str
    server: str
    timeout_seconds: float | None = None
    delay_loop_seconds: float = DEFAULT_DELAY_LOOP_SECONDS
    is_misc_dynamic: bool = False
    has_dynamic_option: bool = False
    limit_seconds: float | None = None

    @property
    def kills_after_seconds(self) -> float:
        """Return after how long keepalived ends the script; an unset timeout is the delay_loop."""
        return self.timeout_seconds or self.delay_loop_seconds


class KeepalivedConf(Struct, frozen=True, kw_only=True):
    """The checks of a keepalived.conf and its included files, and whether it is one of a pair."""

    file: str
    checks: tuple[MiscCheck, ...] = ()
    is_of_pair: bool = False
    problem: str = ""


class Block(Struct, kw_only=True):
    """A block in braces: its words, its settings by their first word, and the blocks in it."""

    name: str = ""
    above: Block | None = None
    settings: dict[str, Setting] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def find(self, keyword: str) -> Setting | None:
        """Return a setting of this block or of the nearest one above that has it."""
        block: Block | None = self
        while block is not None:
            if keyword in block.settings:
                return block.settings[keyword]
            block = block.above
        return None


class Setting(Struct, frozen=True):
    """One line of settings: the file, the number of the line, and its words after the first."""

    file: str
    line: int
    words: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """Return the first word as a number; None if it is none, such as a variable."""
        word = self.words[0] if self.words else ""
        return float(word) if NUMBER.fullmatch(word) else None


def read_text(path: Path) -> str:
    """Return the text of a file; OSError."""
    return read_regular_file(path.resolve(), MAX_BYTES)[:MAX_BYTES].decode("utf-8", "replace")


def read_conf(path: Path, read: Read = read_text) -> KeepalivedConf:
    """Return what concerns ldaphealth; OSError: the file cannot be read.

    An included file that cannot be read is a `problem`, and the rest is returned.
    """
    problems: list[str] = []
    lines = list(islice(_lines(path, read, problems), MOST_LINES))
    top = parse_blocks(lines)
    blocks = list(_all_blocks(top))
    checks = [check for block in blocks if (check := _misc_check(block)) is not None]
    return KeepalivedConf(
        file=str(path),
        checks=tuple(checks[:MOST_CHECKS]),
        is_of_pair=any(each.name.startswith("vrrp_instance") for each in blocks),
        problem="; ".join(problems[:3]),
    )


Line = tuple[str, int, str]  # the file, the number of the line, its text


def _lines(path: Path, read: Read, problems: list[str]) -> Iterator[Line]:
    """Yield the lines of a file and of those that it includes, at most MOST_FILES files."""
    waiting: list[Iterator[Line]] = [_numbered(path, read(path))]
    files = 1
    while waiting:
        for file, number, text in waiting[-1]:
            words = text.split()
            if len(words) < 2 or words[0] not in INCLUDES:  # noqa: PLR2004
                yield file, number, text
                continue
            included = _matching(Path(file).parent, words[1].strip('"'))[: MOST_FILES - files]
            files += len(included)
            waiting += [_included(each, read, problems) for each in reversed(included)]
            break
        else:
            waiting.pop()


def _matching(directory: Path, pattern: str) -> list[Path]:
    found = islice(iglob(os.path.join(directory, pattern)), MOST_FILES)  # noqa: PTH118, PTH207
    return sorted(Path(each) for each in found)


def _included(path: Path, read: Read, problems: list[str]) -> Iterator[Line]:
    try:
        text = read(path)
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
        return iter(())
    return _numbered(path, text)


def _numbered(path: Path, text: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        yield str(path), number, line


def parse_blocks(lines: list[Line]) -> Block:
    """Return the outermost block of these lines; braces without a partner are skipped."""
    top = block = Block()
    depth = 0
    for file, number, text in lines:
        words: list[str] = []
        for found in WORD.finditer(text):
            brace = found["brace"]
            if found["comment"] is not None:
                continue
            if brace == "{" and depth < MOST_DEPTH:
                block.blocks.append(Block(name=" ".join(words), above=block))
                block, depth, words = block.blocks[-1], depth + 1, []
            elif brace == "}":
                _keep(block, file, number, words)
                words = []
                if block.above is not None:
                    block, depth = block.above, depth - 1
            elif not brace:
                words.append(found["plain"] if found["quoted"] is None else found["quoted"])
        _keep(block, file, number, words)
    return top


def _keep(block: Block, file: str, number: int, words: list[str]) -> None:
    if words:
        block.settings[words[0]] = Setting(file, number, tuple(words[1:]))


def _all_blocks(top: Block) -> Iterator[Block]:
    for each in top.blocks:
        yield each
        yield from _all_blocks(each)


def _misc_check(block: Block) -> MiscCheck | None:
    """Return the check of a block MISC_CHECK; None if it does not run our script."""
    path = block.settings.get("misc_path")
    if path is None:
        return None
    words = _command_words(" ".join(path.words))
    script = next((n for n, each in enumerate(words) if Path(each).name == SCRIPT), None)
    if script is None:
        return None
    options = words[script + 1 :]
    timeout, delay = block.settings.get("misc_timeout"), block.find("delay_loop")
    limits = [each.removeprefix(LIMIT_VARIABLE) for each in words if LIMIT_VARIABLE in each]
    return MiscCheck(
        file=path.file,
        line=(timeout or path).line,
        script=words[script],
        server=next((each for each in options if not each.startswith("-")), ""),
        timeout_seconds=timeout.seconds if timeout else None,
        delay_loop_seconds=(delay and delay.seconds) or DEFAULT_DELAY_LOOP_SECONDS,
        is_misc_dynamic="misc_dynamic" in block.settings,
        has_dynamic_option=DYNAMIC in options,
        limit_seconds=float(limits[0]) if limits and NUMBER.fullmatch(limits[0]) else None,
    )


def _command_words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quote without a partner
        return command.split()
