"""Values as YAML that config/yaml_file.py reads back unchanged: scalars, lists and flow mappings.

A text from a server cannot end its line or become another type: it is quoted unless it is a plain
word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def scalar(value: Any) -> str:
    """Return a number, a boolean, or a text in double quotes unless it is a plain word."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").removesuffix(".") or "0"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def flow(value: Any) -> str:
    """Return a value on one line: a mapping or a list in flow style, or a scalar."""
    if isinstance(value, Mapping):
        return flow_mapping(value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def flow_mapping(items: Iterable[tuple[Any, Any]]) -> str:
    """Return a mapping in flow style."""
    return f"{{{', '.join(f'{scalar(key)}: {flow(value)}' for key, value in items)}}}"
