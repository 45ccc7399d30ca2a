"""Learn from cn=accesslog (slapo-accesslog(5)) over LDAP: page by page, up to a number of entries.

It has controls, which the statistics log lacks, and no times: up to OpenLDAP 2.5 at least, the
fraction of reqStart and reqEnd is a counter. Passwords and written values (reqMod, reqOld) are not
requested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ldaphealth.ldap.codec import OctetsEntry
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import Server
from ldaphealth.workload.learner import Learner
from ldaphealth.workload.log_line import (
    CompareLine,
    CountedLine,
    LogLine,
    ResultLine,
    SearchLine,
    UnreadableLine,
)
from ldaphealth.workload.shape import DEREFERENCES, SCOPES

PAGE_SIZE = 500
PAGE_SECONDS = 30.0
PAGE_BYTES = 32 << 20  # filters and lists of attributes may be long
ANY_OPERATION = "(objectClass=auditObject)"
ATTRIBUTES = (
    *("reqType", "reqDN", "reqScope", "reqDerefAliases", "reqFilter", "reqAttr", "reqAssertion"),
    *("reqControls", "reqResult", "reqEntries"),
)
KEY = b"cn=accesslog"  # an entry has a request and its result, so no other is open
_OID = re.compile(rb"\s*(?:\{\d+\})?([0-9.]+)")
_ASSERTION = re.compile(rb"([^=:]+):?=")
SUBORDINATE = "children"  # the name of the scope in reqScope


def read_accesslog(
    server: Server, base: str, most: int, learner: Learner, progress: Callable[[int], None]
) -> None:
    """Learn from the first `most` operations below `base`; SessionError if the server fails.

    Each page has a deadline of its own, PAGE_SECONDS.
    """
    session = open_session(server, Deadline.after(PAGE_SECONDS), PAGE_BYTES)
    entries = 0
    try:
        for page in session.pages(base, "sub", ANY_OPERATION, ATTRIBUTES, PAGE_SIZE, _lines):
            for lines in page[: most - entries]:
                for line in lines:
                    learner.learn(line)
            entries += len(page)
            progress(len(page))
            if entries >= most:
                break
            session.renew(Deadline.after(PAGE_SECONDS))
    finally:
        session.close()


def _lines(entry: OctetsEntry) -> tuple[LogLine, ...]:
    """Return an entry of the log as the lines of the statistics log that say the same."""
    logged = {name: values for name, values in entry[1].items() if values}
    kind = _first(logged, "reqtype").decode("ascii", "replace").partition("(")[0]
    if kind not in ("search", "compare"):
        return (CountedLine(KEY, kind),) if kind else ()
    try:
        begun = _search(logged) if kind == "search" else _compare(logged)
        result = ResultLine(
            KEY, int(_first(logged, "reqresult")), int(_first(logged, "reqentries") or 0)
        )
    except ValueError:
        return (UnreadableLine(KEY),)
    return (begun, result)


def _search(logged: Mapping[str, tuple[bytes, ...]]) -> SearchLine:
    scope = _first(logged, "reqscope").decode().replace(SUBORDINATE, SCOPES[-1])
    deref = _first(logged, "reqderefaliases").decode() or DEREFERENCES[0]
    return SearchLine(
        key=KEY,
        base=_first(logged, "reqdn"),
        scope=[*map(str, SCOPES)].index(scope),
        deref=[*map(str, DEREFERENCES)].index(deref),
        filter=_first(logged, "reqfilter"),
        attributes=logged.get("reqattr", ()),
        controls=(*_controls(logged),),
    )


def _compare(logged: Mapping[str, tuple[bytes, ...]]) -> CompareLine:
    found = _ASSERTION.match(_first(logged, "reqassertion"))
    if found is None:
        raise ValueError("no assertion")
    return CompareLine(KEY, _first(logged, "reqdn"), found[1])


def _controls(logged: Mapping[str, tuple[bytes, ...]]) -> Iterator[str]:
    """Yield the OIDs of the controls; their values, such as cookies, are not kept."""
    for value in logged.get("reqcontrols", ()):
        if found := _OID.match(value):
            yield found[1].decode()


def _first(logged: Mapping[str, tuple[bytes, ...]], name: str) -> bytes:
    return logged.get(name, (b"",))[0]
