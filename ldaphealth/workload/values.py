"""Read values for templates from a server: of attributes, and DNs of entries of a form.

Values are in memory only. Of each source one page is read, and of passwords nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from ldaphealth.ldap.codec import OctetsEntry, Scope
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import NO_ATTRIBUTES, parse_dn
from ldaphealth.ldap.session import Session
from ldaphealth.model import is_in_context
from ldaphealth.workload.base_template import ANY, constant_part, split_dn
from ldaphealth.workload.learner import PASSWORDS
from ldaphealth.workload.shape import ValueSource, Workload
from ldaphealth.workload.tally import LONGEST_VALUE

MOST_SOURCES = 50  # of the most frequent shapes
Values = Mapping[str, tuple[str, ...]]  # by the name of a source


def wanted_sources(workload: Workload) -> Mapping[str, ValueSource]:
    """Return the sources that shapes name, those of the most frequent ones first."""
    names = (name for shape in workload.shapes for name in shape.sources)
    wanted = [*dict.fromkeys(names)][:MOST_SOURCES]
    return {name: workload.sources[name] for name in wanted}


def read_values(session: Session, sources: Mapping[str, ValueSource], most: int) -> Values:
    """Return at most so many values of each source; none of one that cannot be read.

    SessionError if the session ended before any source was read.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, source in sources.items():
        try:
            found[name] = source.values or _read(session, source, most)
        except SessionError:
            if not session.alive:
                if not found:
                    raise
                break
            found[name] = ()
    return found


def united(every: Iterable[Values], most: int) -> Values:
    """Return the values that several servers have, in order, so many of each server at most."""
    united: dict[str, set[str]] = {}
    for values in every:
        for name, of in values.items():
            united.setdefault(name, set()).update(of[:most])
    return {name: tuple(sorted(of)) for name, of in united.items()}


class ValueSearch(Struct, frozen=True):
    """The search for the values of one source."""

    base: str
    scope: Scope
    filter: str
    attribute: str


def search_for(source: ValueSource, suffix: str) -> ValueSearch:
    """Return the search; a base above the suffix, which no database holds, becomes the suffix."""
    if source.attribute:
        base = suffix if is_in_context(suffix, source.base) else source.base
        return ValueSearch(base, "sub", f"({source.attribute}=*)", source.attribute)
    form, below = split_dn(source.dn), constant_part(source.dn)
    where = f"({form[0].partition('=')[0]}=*)"
    is_direct = len(form) == 1 + len(split_dn(below))
    base = suffix if is_in_context(suffix, below) else below
    scope: Scope = "one" if is_direct and base == below else "sub"
    return ValueSearch(base, scope, where, NO_ATTRIBUTES)


def _read(session: Session, source: ValueSource, most: int) -> tuple[str, ...]:
    """Return the first values; SessionError if the search fails."""
    if source.attribute.encode().lower() in PASSWORDS:
        return ()
    search = search_for(source, session.server.suffix)
    page = next(
        session.pages(
            search.base, search.scope, search.filter, (search.attribute,), most, _reduced
        ),
        (),
    )
    if source.attribute:
        values = (_text(each) for _, of in page for each in of[:1])
        return (*dict.fromkeys(value for value in values if value),)
    form = split_dn(source.dn)
    return tuple(dn for dn, _ in page if _is_of_form(dn, form))


def _reduced(entry: OctetsEntry) -> tuple[str, tuple[bytes, ...]]:
    """Return the DN and the values of the attribute that was requested."""
    dn, attributes = entry
    return dn, next(iter(attributes.values()), ())


def _text(value: bytes) -> str:
    """Return a value as text; "" if it is long or not UTF-8."""
    try:
        return value.decode() if len(value) <= LONGEST_VALUE else ""
    except UnicodeDecodeError:
        return ""


def _is_of_form(dn: str, form: tuple[str, ...]) -> bool:
    """Return whether a DN has the RDNs of a form, in which a * stands for any value."""
    try:
        parse_dn(dn)
        rdns = split_dn(dn)
    except ValueError:
        return False
    if len(rdns) != len(form):
        return False
    return all(
        rdn.partition("=")[0] == wanted.partition("=")[0]
        if wanted.endswith(f"={ANY}")
        else rdn == wanted
        for rdn, wanted in zip(rdns, form, strict=True)
    )
