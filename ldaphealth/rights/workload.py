"""The rights for the operations of a workload, and to read the values for its templates."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ldaphealth.ldap.search_filter import attributes_of
from ldaphealth.model import is_in_context
from ldaphealth.rights.right import ENTRY, AccessLevel, Right, Scope
from ldaphealth.workload.base_template import constant_part
from ldaphealth.workload.filter_template import PLACEHOLDER
from ldaphealth.workload.shape import OperationShape, Workload
from ldaphealth.workload.values import search_for


def workload_rights(workload: Workload, account: str, suffix: str) -> Iterator[Right]:
    """Yield them; the values of what a search finds are not needed, only its entries.

    `suffix` stands for a base above it, as when the values are read.
    """
    for source in workload.sources.values():
        if not source.values:
            wanted = search_for(source, suffix)
            shown = (wanted.attribute,) if source.attribute else ()
            found = _Found(account, wanted.base, wanted.scope)
            yield from found.rights(attributes_of(wanted.filter), shown)
    for shape in workload.shapes:
        for base, scope in _places(shape, workload, suffix):
            found = _Found(account, base, scope)
            if shape.operation == "compare":
                yield found.right((shape.attribute,), AccessLevel.COMPARE)
            else:
                yield from found.rights(attributes_of(shape.filter), ())


class _Found(Struct, frozen=True):
    """The entries that operations reach, and with which account."""

    account: str
    base: str
    scope: Scope

    def right(self, attributes: tuple[str, ...], access: AccessLevel) -> Right:
        return Right(
            account=self.account,
            base=self.base,
            scope=self.scope,
            attributes=attributes,
            access=access,
        )

    def rights(self, named: tuple[str, ...], shown: tuple[str, ...]) -> Iterator[Right]:
        """Yield the rights for searches; a base that varies is below `base`."""
        yield Right(
            account=self.account, base=self.base, attributes=(ENTRY,), access=AccessLevel.SEARCH
        )
        if named:
            yield self.right(named, AccessLevel.SEARCH)
        yield self.right((ENTRY, *shown), AccessLevel.READ)


def _places(shape: OperationShape, workload: Workload, suffix: str) -> Iterator[tuple[str, Scope]]:
    """Yield the bases of operations of a shape, and the scope in which its entries are."""
    drawn = PLACEHOLDER.fullmatch(shape.base)
    if drawn is None:
        yield shape.base, shape.scope
        return
    source = workload.sources[drawn[1]]
    if source.values:
        yield from ((dn, shape.scope) for dn in source.values)
        return
    below = constant_part(source.dn)
    yield (suffix if is_in_context(suffix, below) else below), "sub"
