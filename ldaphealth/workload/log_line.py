"""One line of a log: a request, its result, or an operation that is only counted. Pure.

Two formats are read, mixed if need be: the statistics log of slapd (`loglevel stats`,
slapd.conf(5)) and the access log of 389 Directory Server. What stands before `conn=` differs by who
wrote the line: syslog, the journal, `slapd -d stats`, or the `logfile` of slapd 2.6. It is not
interpreted, but for the host and process that syslog names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from ldaphealth.ldap.codec import PAGED_RESULTS_OID

LONGEST_NUMBERS = 48  # bytes from `conn=` to ` op=`
_SLAPD_SEARCH = re.compile(
    rb'base="(?P<base>.*)" scope=(?P<scope>[0-3]) deref=(?P<deref>[0-3]) filter="(?P<filter>.*)"'
)
_389_SEARCH = re.compile(
    rb'base="(?P<base>.*)" scope=(?P<scope>[0-3]) filter="(?P<filter>.*)" '
    rb'attrs=(?P<attributes>ALL|"[^"]*")(?: .*)?'
)
_COMPARE = re.compile(rb'dn="(.*)" attr="([^"]*)"(?: .*)?')
_SLAPD_RESULT = re.compile(
    rb"(?:RESULT )?tag=\d+ err=(?P<code>\d+)(?: qtime=[\d.]+)?(?: etime=(?P<seconds>[\d.]+))?"
    rb"(?: nentries=(?P<entries>\d+))? text="
)
_389_RESULT = re.compile(
    rb"err=(?P<code>\d+) tag=\d+ nentries=(?P<entries>\d+)(?: wtime=[\d.]+)?(?: optime=[\d.]+)?"
    rb" etime=(?P<seconds>[\d.]+)(?: notes=(?P<notes>[A-Z,]+))?"
)


class SearchLine(Struct, frozen=True, kw_only=True):
    """A search that began. `attributes` are None if a line of their own may follow."""

    key: bytes
    base: bytes
    scope: int  # RFC 4511 4.5.1.2: 0 base, 1 one level, 2 subtree, 3 subordinate subtree
    deref: int = 0  # RFC 4511 4.5.1.3
    filter: bytes
    attributes: tuple[bytes, ...] | None = None
    controls: tuple[str, ...] = ()


class AttributesLine(Struct, frozen=True):
    """The attributes that a search requested."""

    key: bytes
    names: tuple[bytes, ...]


class CompareLine(Struct, frozen=True):
    """A compare that began."""

    key: bytes
    dn: bytes
    attribute: bytes


class ResultLine(Struct, frozen=True):
    """The result of an operation; `seconds` is None where the server does not log the time."""

    key: bytes
    code: int
    entries: int = 0
    seconds: float | None = None
    controls: tuple[str, ...] = ()


class CountedLine(Struct, frozen=True):
    """An operation that never becomes part of a workload, by its kind."""

    key: bytes
    kind: str


class UnreadableLine(Struct, frozen=True):
    """A request that was cut off, or that has another form than is known."""

    key: bytes


LogLine: TypeAlias = (
    SearchLine | AttributesLine | CompareLine | ResultLine | CountedLine | UnreadableLine
)


def parse_log_line(line: bytes) -> LogLine | None:
    """Return what a line of a log says of an operation; None if it says nothing of one.

    `key` is the same in all lines of one operation.
    """
    at = line.find(b"conn=")
    if at < 0:
        return None
    if line.startswith(b"{"):
        return _json_line(line)
    op = line.find(b" op=", at, at + LONGEST_NUMBERS)
    end = line.find(b" ", op + 4)
    if op < 0 or end < 0 or not line[at + 5 : op].isdigit():  # 389: conn=Internal(1)
        return None
    before = line[at - 2 : at]
    if before == b"[ ":  # rsyslog: message repeated 2 times: [ conn=1 ...]
        return None
    word_end = line.find(b" ", end + 1)
    if word_end < 0:
        word_end = len(line)
    read = _READERS.get(line[end + 1 : word_end])
    if read is None:
        return None
    key = line[at:end]
    if before == b": ":
        key = line[line.rfind(b" ", 0, line.rfind(b" ", 0, at - 2)) + 1 : at] + key
    return read(key, line[word_end + 1 :])


def _json_line(line: bytes) -> LogLine | None:
    """Read a line of `journalctl -o json`."""
    try:
        entry = json.loads(line)
        message, host, pid = (str(entry.get(name)) for name in ("MESSAGE", "_HOSTNAME", "_PID"))
    except (ValueError, AttributeError, RecursionError):
        return None
    return parse_log_line(f" {host} slapd[{pid}]: {message}".encode(errors="replace"))


def _search(key: bytes, rest: bytes) -> LogLine | None:
    if rest.startswith(b"attr="):
        return AttributesLine(key, (*rest[5:].split(),))
    found = _SLAPD_SEARCH.fullmatch(rest)
    if found:
        return SearchLine(
            key=key,
            base=found["base"],
            scope=int(found["scope"]),
            deref=int(found["deref"]),
            filter=found["filter"],
        )
    found = _389_SEARCH.fullmatch(rest)
    if found is None:
        return UnreadableLine(key)
    named = found["attributes"]
    return SearchLine(
        key=key,
        base=found["base"],
        scope=int(found["scope"]),
        filter=found["filter"],
        attributes=() if named == b"ALL" else (*named.strip(b'"').split(),),
    )


def _compare(key: bytes, rest: bytes) -> LogLine:
    found = _COMPARE.fullmatch(rest)
    return CompareLine(key, found[1], found[2]) if found else UnreadableLine(key)


def _result(key: bytes, rest: bytes) -> LogLine | None:
    found = _SLAPD_RESULT.match(rest) or _389_RESULT.match(rest)
    if found is None:
        return None
    seconds, notes = found["seconds"], found.groupdict().get("notes")
    return ResultLine(
        key,
        int(found["code"]),
        int(found["entries"] or 0),
        float(seconds) if seconds and seconds.count(b".") < 2 else None,  # noqa: PLR2004
        (PAGED_RESULTS_OID,) if notes and b"P" in notes else (),
    )


def _counted(kind: str, begins: bytes = b"") -> Callable[[bytes, bytes], LogLine | None]:
    """Return the reader for an operation that is counted at the line that begins so."""
    return lambda key, rest: CountedLine(key, kind) if rest.startswith(begins) else None


def _bind(key: bytes, rest: bytes) -> LogLine | None:
    """Read the line of a bind that has its method; another one follows with the mechanism."""
    return CountedLine(key, "bind") if b" method=" in rest else None


_READERS: Mapping[bytes, Callable[[bytes, bytes], LogLine | None]] = {
    b"SRCH": _search,
    b"SEARCH": _result,
    b"RESULT": _result,
    b"CMP": _compare,
    b"BIND": _bind,
    b"UNBIND": _counted("unbind"),
    b"ADD": _counted("add", b"dn="),
    b"MOD": _counted("modify", b"dn="),
    b"DEL": _counted("delete", b"dn="),
    b"MODRDN": _counted("modrdn", b"dn="),
    b"EXT": _counted("extended", b"oid="),
    b"ABANDON": _counted("abandon"),
}
