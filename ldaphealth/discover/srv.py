"""The LDAP servers that DNS names for a domain: SRV records of `_ldap._tcp` (RFC 2782).

DNS is not authenticated. A server that it names is contacted only if it is in the domain that was
looked up, so that no other domain gets a password.
"""

from __future__ import annotations

from collections.abc import Iterable

import dns.exception
import dns.resolver
from msgspec import Struct

from ldaphealth.discover.draft import domain_of
from ldaphealth.discover.syncrepl import provider_uri
from ldaphealth.text.printable import printable

MOST_RECORDS = 64
MOST_DOMAINS = 4


class DnsAnswer(Struct, frozen=True, kw_only=True):
    """The servers of one domain. `why` there are none; `outside`: those of other domains."""

    domain: str
    name: str
    uris: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    why: str = ""


def domains_of(bases: Iterable[str]) -> tuple[str, ...]:
    """Return the domains of naming contexts such as dc=example,dc=com (RFC 2247)."""
    found = filter(None, map(domain_of, bases))
    return tuple(dict.fromkeys(found))[:MOST_DOMAINS]


def srv_records(
    domain: str, seconds: float, resolver: dns.resolver.Resolver | None = None
) -> DnsAnswer:
    """Return the servers of a domain, looked up within so many seconds; it raises nothing."""
    name = f"_ldap._tcp.{domain}"
    try:
        used = resolver or dns.resolver.Resolver()
        answer = used.resolve(f"{name}.", "SRV", lifetime=seconds)
        records = sorted((r.priority, -r.weight, r.target.to_text(), r.port) for r in answer)
    except dns.exception.DNSException as error:
        return DnsAnswer(domain=domain, name=name, why=printable(str(error), 200))
    return answer_of(domain, name, [(target, port) for _, _, target, port in records])


def answer_of(domain: str, name: str, records: Iterable[tuple[str, int]]) -> DnsAnswer:
    """Return the records as URLs, those in the domain apart from others. Pure."""
    uris: list[str] = []
    outside: list[str] = []
    for target, port in [*records][:MOST_RECORDS]:
        host = target.rstrip(".").lower()
        uri = provider_uri(f"{'ldaps' if port == 636 else 'ldap'}://{host}:{port}")  # noqa: PLR2004
        is_inside = host == domain.lower() or host.endswith(f".{domain.lower()}")
        if uri:
            (uris if is_inside else outside).append(uri)
    why = "" if uris or outside else "the service is not offered in this domain (RFC 2782)"
    return DnsAnswer(domain=domain, name=name, uris=(*uris,), outside=(*outside,), why=why)
