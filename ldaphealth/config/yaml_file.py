"""One YAML file into plain data: bounded, without the traps of YAML 1.1, and nothing lost.

`config.load` calls `read`; only this file knows YAML.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ldaphealth.config.mistakes import ConfigError

MAX_BYTES = 1 << 20
TAGS = "tag:yaml.org,2002:"
TRAPS = {
    f"{TAGS}int": (re.compile(r"[-+]?[0-9]+\Z", re.ASCII), "-+0123456789"),
    f"{TAGS}float": (re.compile(r"[-+]?[0-9]*\.[0-9]+\Z", re.ASCII), "-+.0123456789"),
    f"{TAGS}bool": (re.compile(r"(?:true|false)\Z", re.ASCII), "tf"),
}


class _Loader(yaml.SafeLoader):
    """`1:30` is not 90, `no` is not false, a key that stands twice is a mistake."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in TRAPS]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_form, _first) in TRAPS.items():
    _Loader.add_implicit_resolver(_tag, _form, list(_first))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[object, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError([f"line {line}: a key must be a plain word"])
        if key.value in seen:
            problem = f"line {line}: {key.value!r} stands already in line {seen[key.value]}"
            raise ConfigError([problem])
        seen[key.value] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(f"{TAGS}map", _mapping)


def read(path: Path) -> object:
    """Return what the file says; ConfigError when it cannot be read or is no YAML."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"cannot read it: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([f"it is larger than {MAX_BYTES} bytes"])
    # A few lines of aliases can stand for gigabytes, so they are refused before they are built.
    if b"&" in content and b"*" in content and any(_aliases(content)):
        raise ConfigError(["YAML aliases are not taken; write the values out"])
    try:
        return yaml.load(content, Loader=_Loader)  # noqa: S506  a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([f"{where}{error.problem or 'no YAML'}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(["it is no YAML"]) from error


def _aliases(content: bytes) -> Iterator[bool]:
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            yield isinstance(event, yaml.AliasEvent)
    except yaml.YAMLError:
        return  # the load that follows says it better
