"""The template of a DN: its structure, with a * for each value that may belong to a client. Pure.

`uid=anna,ou=people,dc=example,dc=org` becomes `uid=*,ou=people,dc=example,dc=org`. An RDN keeps its
value if its attribute is one of CONTAINERS and few siblings of it were seen, or if it is one of the
containers that servers make themselves. All others become a *, whatever stands above or below them.
"""

from __future__ import annotations

import re

from ldaphealth.ldap.names import ATTRIBUTE_TYPE, parse_dn

CONTAINERS = frozenset({"c", "dc", "o", "ou"})
OWN_CONTAINERS = frozenset(
    {
        # OpenLDAP, 389 Directory Server
        *("cn=accesslog", "cn=changelog", "cn=config", "cn=monitor", "cn=schema", "cn=subschema"),
        # FreeIPA
        *("cn=accounts", "cn=alt", "cn=compat", "cn=computers", "cn=etc", "cn=groups", "cn=hbac"),
        *("cn=hostgroups", "cn=ng", "cn=services", "cn=sudo", "cn=sudorules", "cn=trusts"),
        *("cn=users", "cn=views"),
        # Active Directory
        *("cn=builtin", "cn=configuration", "cn=foreignsecurityprincipals", "cn=system"),
    }
)
MOST_SIBLINGS = 20  # of one attribute below one DN; more are entries rather than containers
MOST_PARENTS = 1000  # below which siblings are counted; below others each RDN becomes a *
MOST_REMEMBERED = 10_000  # DNs with their templates
ANY = "*"
_RDN_VALUE = r'(?:"(?:[^"\\]|\\.)*"|(?:[^\\",;+]|\\.)*)'
_PAIR = re.compile(rf"\s*({ATTRIBUTE_TYPE})\s*=\s*({_RDN_VALUE}?)\s*([+,;]|\Z)", re.DOTALL)


class BaseTemplates:
    """Makes templates, and counts siblings for it in a bounded memory."""

    def __init__(self) -> None:
        self._siblings: dict[tuple[str, str], set[str]] = {}
        self._remembered: dict[bytes, str] = {}

    def template(self, logged: bytes) -> str:
        """Return the template of a DN as servers log it; ValueError if it is none.

        Attributes are in lower case, and so are the values that remain (RFC 4519: the attributes
        of CONTAINERS ignore case). A template from before more siblings were seen may still have
        a value: `final` removes it.
        """
        found = self._remembered.get(logged)
        if found is None:
            found = self._template(split_dn(logged.decode()))
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[logged] = found
        return found

    def final(self, template: str) -> str:
        """Return the template after all siblings have been counted."""
        return self._template(split_dn(template))

    def _template(self, rdns: tuple[str, ...]) -> str:
        above = ""
        for rdn in reversed(rdns):
            own = rdn if self._is_container(rdn, above) else _any(rdn)
            above = f"{own},{above}" if above else own
        return above

    def _is_container(self, rdn: str, above: str) -> bool:
        attribute, _, value = rdn.partition("=")
        if rdn in OWN_CONTAINERS:
            return True
        if attribute not in CONTAINERS or "+" in rdn or value == ANY:
            return False
        place = (above, attribute)
        seen = self._siblings.get(place)
        if seen is None:
            if len(self._siblings) >= MOST_PARENTS:
                return False
            seen = self._siblings[place] = set()
        if len(seen) <= MOST_SIBLINGS and value not in seen:
            seen.add(value)
            if len(seen) > MOST_SIBLINGS:
                self._remembered.clear()
        return len(seen) <= MOST_SIBLINGS


def split_dn(text: str) -> tuple[str, ...]:
    """Return the RDNs as `attribute=value`, from the entry upwards, in lower case.

    ValueError if it is not a DN (RFC 4514).
    """
    parse_dn(text.replace(f"={ANY}", "=x"))
    rdns, at, joined = [], 0, ""
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None or found.end() == at:
            raise ValueError("not a DN")
        pair = f"{found[1].lower()}={found[2].strip().lower()}"
        joined = f"{joined}+{pair}" if joined else pair
        if found[3] != "+":
            rdns.append(joined)
            joined = ""
        at = found.end()
    return (*rdns,)


def constant_part(template: str) -> str:
    """Return the DN below which all DNs of that template are; "" if it is not known."""
    _, found, rest = template.rpartition(f"={ANY}")
    return rest.removeprefix(",") if found else template


def _any(rdn: str) -> str:
    """Return the RDN with a * for each value; there are several in `cn=a+uid=b`."""
    pairs = [found[1] for found in _PAIR.finditer(rdn) if found[1]]
    return "+".join(f"{attribute}={ANY}" for attribute in pairs)
