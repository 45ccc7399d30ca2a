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
from ldaphealth.model import BindMethod, Credentials, Finding, Role, Server, Trust
from ldaphealth.settings import Cluster
from ldaphealth.text.printable import printable

UNIT = "ldaphealth-agent"
LONGEST_VALUE = 1000
LONGEST_DEADLINE_SECONDS = 300
ADMINISTRATOR = "$LDAP_ADMIN"  # in a command: the options with which an administrator binds


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

    @property
    def writable_uri(self) -> str:
        """Return the URI of a server of the cluster that takes writes."""
        providers = [each for each in self.cluster.servers if each.role is Role.PROVIDER]
        return next(iter(providers), self.server).uri


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
    endpoint = parse_uri(place.server.uri)
    words = ["openssl", "s_client", "-connect", str(endpoint)]
    words += [] if endpoint.is_tls else ["-starttls", "ldap"]
    if place.server.tls.ca_file:
        words += ["-CAfile", place.server.tls.ca_file]
    yield Step("command", command(*words) + " </dev/null")


def _with_tls(_: Place) -> Iterator[Step]:
    yield Step("setting", "tls: {start_tls: true}")


def _account(place: Place) -> Credentials:
    """Return the credentials of the check of the finding, or those of the server."""
    for each in place.cluster.checks:
        if each.name == place.finding.check and each.credentials is not None:
            return each.credentials
    return place.server.credentials


def _ldap_options(place: Place, credentials: Credentials) -> list[str]:
    """Return the options of the programs of ldap-utils for a session as the check has one."""
    starts_tls = ["-ZZ"] if place.server.tls.start_tls else []
    if credentials.method is not BindMethod.SIMPLE:
        return ["-H", place.server.uri, *starts_tls]
    password = ["-y", credentials.password_file] if credentials.password_file else ["-W"]
    return ["-H", place.server.uri, *starts_tls, "-x", "-D", credentials.dn, *password]


def _try_password(place: Place) -> Iterator[Step]:
    options = _ldap_options(place, _account(place))
    yield Step("command", command("ldapwhoami", "-e", "ppolicy", *options))


def _new_password(place: Place) -> Iterator[Step]:
    credentials = _account(place)
    yield Step("command", command("ldappasswd", *_ldap_options(place, credentials), "-S"))
    if credentials.password_file:
        yield Step("command", f"${{EDITOR:-vi}} {command(credentials.password_file)}")
    yield Step("command", f"systemctl reload {UNIT}")


def _canaries(place: Place) -> Iterator[Step]:
    """Yield how to add them, also if the account has no right to."""
    name, file = place.cluster.name, ("--config", place.config_file)
    add = command("ldaphealth", "canary", "apply", name, *file)
    entries = command("ldaphealth", "setup", name, "--part", "entries", *file)
    as_administrator = f"ldapadd -c {ADMINISTRATOR} -H {command(place.writable_uri)}"
    yield Step("command", f"{add} || {entries} | {as_administrator}")
    if not place.lists_canaries:
        yield from _give_rights(place)


def _search(place: Place) -> Iterator[Step]:
    options = _ldap_options(place, _account(place))
    base = place.server.suffix
    params = {each.name: each.params_of(place.server) for each in place.cluster.checks}
    base = getattr(params.get(place.finding.check), "base", "") or base
    yield Step("command", command("ldapsearch", *options, "-s", "base", "-b", base, "1.1"))


def _give_rights(place: Place) -> Iterator[Step]:
    if not place.is_openldap:
        words = ("ldaphealth", "setup", place.cluster.name, "--for", "389", "--part", "rules")
        yield Step("command", command(*words, "--config", place.config_file))
        return
    for ldif in missing_rights(place.cluster, place.checks):
        yield Step("ldif", ldif, (place.server.uri,))


def _search_or_give_rights(place: Place) -> Iterator[Step]:
    yield from _search(place)
    yield from _give_rights(place)


def _watch(place: Place) -> Iterator[Step]:
    words = ("ldaphealth", "csn", "watch", place.cluster.name)
    yield Step("command", command(*words, "--config", place.config_file))


def _compare_content(place: Place) -> Iterator[Step]:
    words = ("ldaphealth", "content", "diff", place.cluster.name)
    yield Step("command", command(*words, "--config", place.config_file))


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
    "must_change": _new_password,
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
    "behind": _watch,
    "isolated": _watch,
    "lost": _watch,
    "split": _compare_content,
    "diverged": _compare_content,
    "differs": _compare_content,
}
