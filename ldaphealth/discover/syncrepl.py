"""The values of olcSyncrepl (slapd-config(5)): from where a database receives its changes.

A value also has the password of replication. It is dropped here, and never kept.
"""

from __future__ import annotations

import re

from msgspec import Struct

from ldaphealth.discover.root_dse import is_usable_dn
from ldaphealth.ldap.endpoint import DEFAULT_PORTS, Endpoint, parse_uri
from ldaphealth.model import LONGEST_POLL_SECONDS
from ldaphealth.text.printable import printable

LONGEST = 16_384  # characters of a value
MOST_PROVIDERS = 8  # URLs of one value
DEFAULT_POLL_SECONDS = 86_400  # `interval` of slapd.conf(5) defaults to a day
ORDER = re.compile(r"\s*\{-?[0-9]{1,9}\}")  # the place among the values, as {0}
INTERVAL = re.compile(r"([0-9]{1,5}):([0-9]{1,5}):([0-9]{1,5}):([0-9]{1,5})", re.ASCII)
SECONDS = (86_400, 3_600, 60, 1)  # of the parts of dd:hh:mm:ss
# A key and its value, as slapd splits a line: quotes may be anywhere, a backslash in quotes
# takes the next character as it is.
_PART = re.compile(r"""((?:[^\s"]|"(?:[^"\\]|\\.)*")+)""", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Syncrepl(Struct, frozen=True, kw_only=True):
    """One replication link, without its password.

    `providers` are URLs that parse. `poll_interval_seconds` is 0 for a link that lasts
    (refreshAndPersist).
    """

    rid: str = ""
    providers: tuple[str, ...] = ()
    search_base: str = ""
    bind_dn: str = ""
    poll_interval_seconds: float = 0.0


def parse_syncrepl(text: str) -> Syncrepl:
    """Return the link that a value describes; ValueError if it names no provider."""
    if len(text) > LONGEST:
        raise ValueError(f"olcSyncrepl has more than {LONGEST} characters")
    parts: dict[str, str] = {}
    for found in _PART.findall(ORDER.sub("", text, count=1)):
        key, _, value = _unquoted(found).partition("=")
        parts.setdefault(key.strip().lower(), value)
    providers = _providers(parts.get("provider", ""))
    if not providers:
        raise ValueError("olcSyncrepl names no provider with an LDAP URL")
    base, bind_dn = parts.get("searchbase", ""), parts.get("binddn", "")
    polls = parts.get("type", "").strip().lower() == "refreshonly"
    return Syncrepl(
        rid=printable(parts.get("rid", ""), 8),
        providers=providers,
        search_base=base if is_usable_dn(base) else "",
        bind_dn=bind_dn if is_usable_dn(bind_dn) else "",
        poll_interval_seconds=interval_seconds(parts.get("interval", "")) if polls else 0.0,
    )


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), text)


def _providers(text: str) -> tuple[str, ...]:
    """Return the URLs; slapd takes several, with spaces or commas between them."""
    urls = [provider_uri(each) for each in re.split(r"[\s,]+", text)[: 2 * MOST_PROVIDERS]]
    return tuple(dict.fromkeys(filter(None, urls)))[:MOST_PROVIDERS]


def provider_uri(text: str) -> str:
    """Return a URL with scheme, host and port alone, "" if it is no LDAP URL of a network."""
    try:
        endpoint = parse_uri(text.strip().rstrip("/"))
    except ValueError:
        return ""
    if endpoint.is_socket or not text.isascii() or not text.isprintable():
        return ""
    return uri_of(endpoint)


def uri_of(endpoint: Endpoint) -> str:
    """Return the one form of a URL that identifies it: the usual port is left out."""
    is_usual = endpoint.port == DEFAULT_PORTS[endpoint.scheme]
    return f"{endpoint.scheme}://{endpoint.url_host if is_usual else endpoint}".lower()


def interval_seconds(text: str) -> float:
    """Return the seconds of dd:hh:mm:ss, or of seconds alone; a day if it is neither, or 0."""
    if text.isascii() and text.isdigit() and len(text) <= 9:  # noqa: PLR2004  digits of an int
        seconds = int(text)
    else:
        found = INTERVAL.fullmatch(text.strip())
        parts = found.groups() if found else ()
        seconds = sum(int(part) * size for part, size in zip(parts, SECONDS, strict=False))
    return float(min(seconds or DEFAULT_POLL_SECONDS, LONGEST_POLL_SECONDS))
