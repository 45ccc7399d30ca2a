"""The database of a naming context, among those that cn=config or cn=Monitor shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ldaphealth.model import comparable_dn


class HasSuffixes(Protocol):
    """A database with the suffixes of its naming contexts."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return the suffixes."""


Database = TypeVar("Database", bound=HasSuffixes)


def database_of(databases: Iterable[Database], base: str) -> Database | None:
    """Return the database of a naming context."""
    wanted = comparable_dn(base)
    return next((each for each in databases if wanted in map(comparable_dn, each.suffixes)), None)
