"""The entries of the demo cluster and their access rules.

`demo/slapd_conf.py` and `demo/cluster.py` write them for slapd; tests, demo and benchmarks use
the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ldaphealth.ldap.names import DN

SUFFIX = "dc=example,dc=com"
PEOPLE = DN(f"ou=people,{SUFFIX}")
SERVICES = f"ou=services,{SUFFIX}"
CANARIES = DN(f"ou=ldaphealth,{SUFFIX}")
ROOT_DN = f"cn=admin,{SUFFIX}"
CHECK_DN = f"cn=ldaphealth,{SERVICES}"
CHECK_PASSWORD = "check me"
PEOPLE_COUNT = 20

# The first match decides (slapd.access(5)), and rights are those of the bind, so the check account
# gets `write` only below its container; `children` of the container itself lets it add entries.
ACCESS = (
    "to attrs=userPassword by anonymous auth by * none",
    f'to dn.base="{CANARIES}" attrs=children by dn.exact="{CHECK_DN}" write by * none',
    f'to dn.children="{CANARIES}" by dn.exact="{CHECK_DN}" write by * none',
    f'to * by dn.exact="{CHECK_DN}" read by anonymous auth by * none',
)


def person(number: int) -> str:
    """Return the DN of one of the people; they are numbered from 1."""
    return f"uid=user{number},{PEOPLE}"


def ldif(now: datetime) -> str:
    """Return the whole content for slapadd(8).

    UUIDs and CSNs are explicit, so that nodes loaded from the same text are identical: they have
    the same entryUUID and entryCSN, and `slapadd -w` derives the same contextCSN, so no refresh is
    necessary. `now` is the time of all writes, by server ID 1.
    """
    return "".join(
        _entry(dn, attributes, number, now)
        for number, (dn, attributes) in enumerate(_content().items(), 1)
    )


def _content() -> Mapping[str, str]:
    return {
        SUFFIX: "objectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
        PEOPLE: "objectClass: organizationalUnit\nou: people",
        SERVICES: "objectClass: organizationalUnit\nou: services",
        CANARIES: "objectClass: organizationalUnit\nou: ldaphealth",
        CHECK_DN: (
            "objectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
            f"cn: ldaphealth\nuserPassword: {CHECK_PASSWORD}"
        ),
    } | {person(number): _person(number) for number in range(1, PEOPLE_COUNT + 1)}


def _person(number: int) -> str:
    return (
        f"objectClass: inetOrgPerson\nuid: user{number}\ncn: User {number}\nsn: {number}\n"
        f"description: as loaded"
    )


def _entry(dn: str, attributes: str, number: int, now: datetime) -> str:
    stamp = f"{now:%Y%m%d%H%M%S}"
    return (
        f"dn: {dn}\n{attributes}\n"
        f"entryUUID: 00000000-0000-4000-8000-{number:012}\n"
        f"entryCSN: {stamp}.{number:06}Z#000000#001#000000\n"
        f"creatorsName: {ROOT_DN}\ncreateTimestamp: {stamp}Z\n"
        f"modifiersName: {ROOT_DN}\nmodifyTimestamp: {stamp}Z\n\n"
    )
