"""The commands, LDIF and settings that mend a finding, by its code. Pure.

The sentences beside them are the remedies of reason_codes.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from ldaphealth.doctor.problem import Step
from ldaphealth.doctor.rights import missing_rights
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import Finding, Server, Trust
from ldaphealth.reason_codes import LINKS
from ldaphealth.remedies import check_credentials, values_of
from ldaphealth.settings import Cluster
from ldaphealth.text.command_template import with_values
from ldaphealth.text.printable import printable

UNIT = "ldaphealth-agent"
LONGEST_VALUE = 1000
LONGEST_DEADLINE_SECONDS = 300


class Place(Struct, frozen=True, kw_only=True):
    """Where a finding was made: the server, its cluster, and the file that configures both.

    `checks` are those with the same problem. `lists_canaries`: the account may list them, so that
    one which is not seen is missing.
    """

    finding: Finding
    server: Server
    cluster: Cluster
    config_file: Path
    checks: frozenset[str]
    is_openldap: bool = True
    lists_canaries: bool = True


def command(*words: str | Path) -> str:
    """Return a command for a shell, every word quoted where it must be, on one line."""
    return shlex.join(printable(str(each), LONGEST_VALUE) for each in words)


def steps_for(place: Place) -> tuple[Step, ...]:
    """Return the steps for a finding, none if its remedy needs no more than the sentence."""
    make = STEPS.get(place.finding.code)
    return tuple(make(place)) if make else ()


def _unreachable(place: Place) -> Iterator[Step]:
    port = parse_uri(place.server.uri).port
    yield Step("command", "systemctl status slapd", (place.server.name,))
    yield Step("command", command("ss", "-ltnp", f"sport = :{port}"), (place.server.name,))


def _too_late(place: Place) -> Iterator[Step]:
    """Yield how to restart one that answers nothing, and more time for one that is slow."""
    if place.finding.trust is Trust.HARD:
        yield from _unreachable(place)
        yield Step("command", "systemctl restart slapd", (place.server.name,))
    else:
        longer = min(LONGEST_DEADLINE_SECONDS, 2 * place.cluster.deadline_seconds)
        yield Step("setting", f"deadline_seconds: {longer:g}")


def _handshake(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, "{handshake}"))


def _with_tls(_: Place) -> Iterator[Step]:
    yield Step("setting", "tls: {start_tls: true}")


def _filled(place: Place, template: str) -> str:
    """Return a command with the values of the place (remedies.py)."""
    return with_values(template, values_of(place.cluster, place.server, place.finding.check))


def _try_password(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, "{account:ldapwhoami -e ppolicy}"))


def _change_password(place: Place) -> Iterator[Step]:
    """Yield how the account itself changes it, which a server that has reset it demands."""
    yield Step("command", _filled(place, "{account:ldappasswd -S}"))
    yield from _use_password(place)


def _new_password(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, "{writer:ldappasswd -S {dn}}"))
    yield from _use_password(place)


def _use_password(place: Place) -> Iterator[Step]:
    file = check_credentials(place.cluster, place.server, place.finding.check).password_file
    if file:
        yield Step("command", f"${{EDITOR:-vi}} {command(file)}")
    yield Step("command", f"systemctl reload {UNIT}")


def _canaries(place: Place) -> Iterator[Step]:
    """Yield how to add them, also if the account has no right to."""
    name, file = place.cluster.name, ("--config", place.config_file)
    add = command("ldaphealth", "canary", "apply", name, *file)
    entries = command("ldaphealth", "setup", name, "--part", "entries", *file)
    as_administrator = _filled(place, "{writer:ldapadd -c}")
    yield Step("command", f"{add} || {entries} | {as_administrator}")
    if not place.lists_canaries:
        yield from _give_rights(place)


def _search(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, "{account:ldapsearch -s base -b {base} 1.1}"))


def _give_rights(place: Place) -> Iterator[Step]:
    if not place.is_openldap:
        words = ("ldaphealth", "setup", place.cluster.name, "--for", "389", "--part", "rules")
        yield Step("command", command(*words, "--config", place.config_file))
        return
    for ldif in missing_rights(place.cluster, place.checks):
        starts_tls = bool(place.server.tls.start_tls)
        yield Step("ldif", ldif, (place.server.uri,), starts_tls)


def _search_or_give_rights(place: Place) -> Iterator[Step]:
    yield from _search(place)
    yield from _give_rights(place)


def _watch(place: Place) -> Iterator[Step]:
    words = ("ldaphealth", "csn", "watch", place.cluster.name)
    yield Step("command", command(*words, "--config", place.config_file))


def _compare_content(place: Place) -> Iterator[Step]:
    words = ("ldaphealth", "content", "diff", place.cluster.name)
    yield Step("command", command(*words, "--config", place.config_file))


def _own_links(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, f"{{session:{LINKS}}}"))
    yield from _watch(place)


def _links_of_others(place: Place) -> Iterator[Step]:
    yield Step("command", _filled(place, f"{{others:{LINKS}}}"))
    yield from _watch(place)


def _links_of_all(place: Place) -> Iterator[Step]:
    """Yield the links first: content is compared once all have received the same changes."""
    yield Step("command", _filled(place, f"{{every:{LINKS}}}"))
    yield from _watch(place)
    yield from _compare_content(place)


def _check_name(place: Place) -> Iterator[Step]:
    yield Step("command", command("getent", "ahosts", parse_uri(place.server.uri).host))


STEPS: Mapping[str, Callable[[Place], Iterator[Step]]] = {
    "connect": _unreachable,
    "disconnected": _unreachable,
    "protocol": _unreachable,
    "timeout": _too_late,
    "resolve": _check_name,
    "tls": _handshake,
    "tls_refused": _handshake,
    "certificate": _handshake,
    "expires": _handshake,
    "confidentialityRequired": _with_tls,
    "strongerAuthRequired": _with_tls,
    "invalidCredentials": _try_password,
    "inappropriateAuthentication": _try_password,
    "must_change": _change_password,
    "grace_logins": _new_password,
    "password_expires": _new_password,
    "noSuchObject": _search_or_give_rights,
    "no_canary": _canaries,
    "insufficientAccessRights": _give_rights,
    "no_csn": _give_rights,
    "value": _give_rights,
    "limited": _give_rights,
    "sizeLimitExceeded": _give_rights,
    "adminLimitExceeded": _give_rights,
    "not_searchable": _give_rights,
    "no_log": _give_rights,
    "not_compared": _give_rights,
    "behind": _own_links,
    "isolated": _links_of_others,
    "lost": _watch,
    "split": _links_of_all,
    "diverged": _compare_content,
    "differs": _compare_content,
}
