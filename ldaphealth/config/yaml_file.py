"""Read a YAML file: bounded, without the pitfalls of YAML 1.1, and without duplicate keys.

`config.load` calls `read_yaml`. No other module uses YAML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from msgspec import Struct
from yaml.reader import ReaderError

try:  # libyaml, ten times as fast; the wheels of PyYAML have it
    from yaml import CSafeLoader as Parser
except ImportError:
    from yaml import SafeLoader as Parser  # type: ignore[assignment]

from ldaphealth.config.mistakes import ConfigError, join
from ldaphealth.config.yaml_words import OTHER, in_words, not_text
from ldaphealth.files.permission import refusal_cause

T = TypeVar("T")

MAX_BYTES = 1 << 20
MAX_DEPTH = 50  # of nested mappings and lists; a valid file has at most 8
TAGS = "tag:yaml.org,2002:"
PLAIN_SCALARS = {
    f"{TAGS}int": (re.compile(r"[-+]?[0-9]+\Z", re.ASCII), "-+0123456789"),
    f"{TAGS}float": (re.compile(r"[-+]?[0-9]*\.[0-9]+\Z", re.ASCII), "-+.0123456789"),
    f"{TAGS}bool": (re.compile(r"(?:true|false)\Z", re.ASCII), "tf"),
}
WITH_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)


class LeadingZero(Struct, frozen=True):
    """A number that is written with a leading zero, and its line in the file.

    YAML 1.1 reads 010 as 8, YAML 1.2 as 10. Only a type that is written in such digits takes it.
    """

    text: str
    line: int

    def __str__(self) -> str:
        return self.text

    @property
    def mistake(self) -> str:
        """Return what is wrong where the digits do not belong to such a type."""
        return (
            f"line {self.line}: {self.text} begins with a zero, as octal numbers do; "
            "remove the zero, or put a text into quotes"
        )


class _Loader(Parser):
    """`1:30` is not 90, `no` is not false, `010` is not 8, and a duplicate key is a mistake."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value; ConfigError with its line if an explicit tag is of another type.

        The constructors of PyYAML raise whatever comes, such as KeyError for `!!bool maybe`.
        """
        try:
            return super().construct_object(node, deep=deep)
        except (yaml.YAMLError, ConfigError, RecursionError):
            raise
        except Exception as error:
            line, tag = node.start_mark.line + 1, node.tag.replace(TAGS, "!!")
            raise ConfigError(
                [f"line {line}: the value is no {tag}; put a text into quotes"]
            ) from error


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in PLAIN_SCALARS]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_form, _first) in PLAIN_SCALARS.items():
    _Loader.add_implicit_resolver(_tag, _form, list(_first))


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float | LeadingZero:
    text = loader.construct_scalar(node)
    if WITH_LEADING_ZERO.match(text):
        return LeadingZero(text, node.start_mark.line + 1)
    return int(text) if node.tag == f"{TAGS}int" else float(text)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[object, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError([f"line {line}: a key must be a plain text"])
        if key.value in seen:
            problem = f"line {line}: duplicate key {key.value!r}, first in line {seen[key.value]}"
            raise ConfigError([problem])
        seen[key.value] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(f"{TAGS}map", _mapping)
_Loader.add_constructor(f"{TAGS}int", _number)
_Loader.add_constructor(f"{TAGS}float", _number)


def read_yaml(path: Path) -> object:
    """Return the content of the file; ConfigError if it cannot be read or is not YAML."""
    return _parsed(path, lambda content: yaml.load(content, Loader=_Loader))  # noqa: S506  safe


def line_numbers(path: Path) -> dict[str, int]:
    """Return the line of each key and list item, by its place as in mistakes.py; "" is the file.

    ConfigError as in `read_yaml`.
    """
    node = _parsed(path, lambda content: yaml.compose(content, Loader=Parser))
    return dict(_places(node, "")) if node else {}


def _parsed(path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"cannot read it: {refusal_cause(path, error)}"]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([f"it is larger than {MAX_BYTES} bytes"])
    try:
        _check_safety(content)
        return parse(content)
    except yaml.YAMLError as error:
        raise ConfigError([yaml_mistake(error, content)]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([OTHER]) from error


def yaml_mistake(error: yaml.YAMLError, content: bytes) -> str:
    """Return the sentence for an error of the parser, with line and column where it has them."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return in_words(error.problem or "", error.problem_mark, error.context_mark, content)
    if isinstance(error, ReaderError):
        return not_text(content, int(error.position))
    return OTHER


def _places(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = join(path, key.value)
            yield from _places(value, place)
            yield place, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value, 1):
            yield from _places(value, join(path, number))


def _check_safety(content: bytes) -> None:
    """Raise ConfigError for aliases and for deep nesting.

    A few lines of aliases can expand to gigabytes. libyaml builds nested values recursively on the
    stack of the process, without a limit.
    """
    depth = 0
    for event in yaml.parse(content, Loader=Parser):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(["YAML aliases are not supported; repeat the values"])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise ConfigError([f"line {line}: nested too deeply, more than {MAX_DEPTH} levels"])
