"""A session that can send searches and compares, and no other request.

`Session.read_only` returns it. Operations that were learnt from a log run on it: it has no method
for any other operation, and what it sends is checked once more by its identifier octet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from ldaphealth.clocks import RunningSeconds
from ldaphealth.ldap import codec
from ldaphealth.ldap.codec import Controls, Dereference, OctetsEntry, Result, Scope
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure, FailureKind

ALLOWED = frozenset({codec.SEARCH, codec.COMPARE_REQUEST})


class Exchange(Protocol):
    """Sends one request and returns the result (`Session`); SessionError."""

    def __call__(
        self,
        operation: str,
        request: bytes,
        final: int,
        receive_entry: Callable[[OctetsEntry], None] | None = None,
        /,
    ) -> tuple[Result, Controls]:
        """Send it, and return the final response."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The result code and its name (RFC 4511 4.1.9), the entries that came, and the time."""

    code: int
    name: str
    entries: int = 0
    seconds: float


class ReadOnlySession:
    """Searches and compares on an open session. Any result code is an outcome and no error.

    SessionError: no result came. Values are dropped as soon as an entry arrives.
    """

    __slots__ = ("_encode", "_exchange", "_now")

    def __init__(
        self, encode: Callable[..., bytes], exchange: Exchange, now: Callable[[], RunningSeconds]
    ) -> None:
        self._encode, self._exchange, self._now = encode, exchange, now

    def search(  # noqa: PLR0913, PLR0917  those of a search
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: tuple[str, ...],
        size_limit: int,
        dereference: Dereference = "never",
    ) -> Outcome:
        """Search. When `size_limit` entries came, sizeLimitExceeded counts as success."""
        request = self._encode(
            codec.encode_search, base, scope, filter_text, attributes, size_limit, dereference
        )
        entries = 0

        def count(_: OctetsEntry) -> None:
            nonlocal entries
            entries += 1

        result, seconds = self._send("search", request, codec.DONE, count)
        is_own_limit = result.code == codec.SIZE_LIMIT_EXCEEDED and entries >= size_limit
        if is_own_limit:
            result = Result(codec.SUCCESS, "")
        return Outcome(code=result.code, name=result.code_name, entries=entries, seconds=seconds)

    def compare(self, dn: str, attribute: str, value: str) -> Outcome:
        """Compare: compareTrue and compareFalse are outcomes like any other."""
        request = self._encode(codec.encode_compare, dn, attribute, value)
        result, seconds = self._send("compare", request, codec.COMPARE)
        return Outcome(code=result.code, name=result.code_name, seconds=seconds)

    def _send(self, operation: str, request: bytes, *more: Any) -> tuple[Result, float]:
        if request[0] not in ALLOWED:
            detail = f"a request 0x{request[0]:02x} is neither a search nor a compare"
            raise SessionError(Failure(FailureKind.BUG, detail, is_local=True))
        began = self._now()
        result, _ = self._exchange(operation, request, *more)
        return result, max(0.0, self._now() - began)
