"""What to do about a finding, with the commands for its server. Pure.

guard/ puts it into the verdict, and so all outputs have it; the doctor has it from here as well.
"""

from __future__ import annotations

import shlex
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import BindMethod, Credentials, Finding, Role, Server, State, Tls
from ldaphealth.reason_codes import row_of
from ldaphealth.settings import Cluster
from ldaphealth.text.command_template import ADMINISTRATOR, Connection, Program, with_values
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable

LONGEST_VALUE = 1000
MOST_NAMES = 8
URI_OF_LOOP = '"$uri"'
NO_NAMES: Mapping[str, str] = {}


class _Place(Struct, frozen=True):
    """A server, and the name of a check on it."""

    cluster: Cluster
    server: Server
    check: str

    @property
    def params(self) -> Any:
        """Return the settings of the check on the server; None if it has none of this name."""
        found = (each for each in self.cluster.checks if each.name == self.check)
        return next((each.params_of(self.server) for each in found), None)

    @property
    def account(self) -> Credentials:
        """Return the credentials of the check."""
        return check_credentials(self.cluster, self.server, self.check)


def check_credentials(cluster: Cluster, server: Server, check: str) -> Credentials:
    """Return the credentials of a check of this name on the server: its own, or the server's."""
    for each in cluster.checks:
        if each.name == check and each.credentials is not None:
            return each.credentials
    return server.credentials


def remedies_of(cluster: Cluster, server: Server, findings: Iterable[Finding]) -> Mapping[str, str]:
    """Return what to do about the findings on a server that are not OK, by their reasons."""
    bad = [each for each in findings if each.state is not State.OK]
    return {each.reason: remedy_for(cluster, [server], each) for each in bad} if bad else NO_NAMES


def remedy_for(cluster: Cluster, servers: Sequence[Server], finding: Finding) -> str:
    """Return what to do about a finding on the first of these servers, and the same on the others.

    It is empty if no table has the code.
    """
    row = row_of(finding.code)
    if row is None:
        return ""
    values = values_of(cluster, servers[0], finding.check)
    if len(servers) > 1:
        values = ChainMap({"host": listed([each.name for each in servers], MOST_NAMES)}, {**values})
    return with_values(row.template, values)


def values_of(cluster: Cluster, server: Server, check: str) -> Mapping[str, object]:
    """Return the values of all placeholders (`command_template.READABLE`) for a check there."""
    return _Values(_Place(cluster, server, check))


class _Values(Mapping[str, object]):
    """The values of a place, each made when a template names it."""

    def __init__(self, place: _Place) -> None:
        self._place = place

    def __getitem__(self, name: str) -> object:
        return VALUES[name](self._place)

    def __iter__(self) -> Iterator[str]:
        return iter(VALUES)

    def __len__(self) -> int:
        return len(VALUES)


def word(text: str) -> str:
    """Return a text as one word for a shell, on one line."""
    return shlex.quote(printable(text, LONGEST_VALUE))


def ldap_connection(
    server: Server, credentials: Credentials, uris: Sequence[str] = ()
) -> Connection:
    """Return how the programs of ldap-utils have such a session with the server as the agent."""
    uri = URI_OF_LOOP if uris else word(server.uri)
    starts_tls = ["-ZZ"] if server.tls.start_tls else []
    words = [*_bind_options(credentials)]
    return Connection(
        " ".join([words[0], *starts_tls, "-H", uri, *words[1:]]),
        _environment(server.tls),
        " ".join(map(word, uris)),
    )


def _bind_options(credentials: Credentials) -> Iterator[str]:
    if credentials.method is BindMethod.EXTERNAL:
        yield "-Y EXTERNAL"
        return
    yield "-x"
    if credentials.method is BindMethod.SIMPLE:
        yield f"-D {_dn(credentials)}"
        yield f"-y {word(credentials.password_file)}" if credentials.password_file else "-W"


def _dn(credentials: Credentials) -> str:
    """Return the DN. `login` finds that of its user: the sentence of the finding has it."""
    is_searched = credentials.method is BindMethod.SIMPLE and not credentials.dn
    return "DN" if is_searched else word(credentials.dn)


def _environment(tls: Tls) -> str:
    """Return the variables of ldap.conf(5) for the settings of TLS."""
    found = {
        "LDAPTLS_CACERT": tls.ca_file,
        "LDAPTLS_CERT": tls.certificate_file,
        "LDAPTLS_KEY": tls.key_file or tls.certificate_file,
        "LDAPTLS_REQCERT": "" if tls.verify else "never",
    }
    return " ".join(f"{name}={word(value)}" for name, value in found.items() if value)


def administrator_connection(server: Server) -> Connection:
    """Return how an administrator of the data binds, whose DN is in $ADMIN_DN of the shell."""
    starts_tls = ["-ZZ"] if server.tls.start_tls else []
    words = ["-x", *starts_tls, "-H", word(server.uri), "-D", ADMINISTRATOR, "-W"]
    return Connection(" ".join(words), _environment(server.tls))


def _writable(place: _Place) -> Server:
    """Return a server of the cluster that takes writes, the same for all of its servers."""
    providers = (each for each in place.cluster.servers if each.role is Role.PROVIDER)
    return next(providers, place.server)


def _each_of(place: _Place, servers: Iterable[Server]) -> Connection:
    """Return a loop over servers with the same account and TLS as this one."""
    own = place.server
    like = [
        each.uri for each in servers if (each.credentials, each.tls) == (own.credentials, own.tls)
    ]
    return ldap_connection(own, own.credentials, like or [own.uri])


def _others(place: _Place) -> Connection:
    return _each_of(place, (each for each in place.cluster.data_servers if each != place.server))


def _handshake(place: _Place) -> str:
    """Return the command that shows the TLS handshake (openssl-s_client(1))."""
    server = place.server
    endpoint = parse_uri(server.uri)
    words = ["openssl s_client -connect", word(str(endpoint))]
    words += [] if endpoint.is_tls else ["-starttls ldap"]
    words += ["-CAfile", word(server.tls.ca_file)] if server.tls.ca_file else []
    return " ".join([*words, "</dev/null"])


def _listening(place: _Place) -> str:
    endpoint = parse_uri(place.server.uri)
    return "ss -lxp" if endpoint.is_socket else f"ss -ltnp 'sport = :{endpoint.port}'"


def _ldaphealth(place: _Place) -> Program:
    """Return the beginning of a command of this program, with its configuration."""
    file = place.cluster.config_file
    return Program(f"LDAPHEALTH_CONFIG={word(file)} ldaphealth" if file else "ldaphealth")


def _password_place(place: _Place) -> str:
    credentials = place.account
    if credentials.password_file:
        return printable(credentials.password_file, LONGEST_VALUE)
    if credentials.password_env:
        return f"the environment variable {printable(credentials.password_env)}"
    return "the file of `password_file`"


def _member(place: _Place) -> str:
    attribute = getattr(place.params, "member_attribute", "member")
    return word(f"{attribute}:{getattr(place.params, 'member_value', '') or place.account.dn}")


def _base(place: _Place) -> str:
    return word(getattr(place.params, "base", "") or place.server.suffix)


VALUES: Mapping[str, Callable[[_Place], object]] = {
    "account": lambda place: ldap_connection(place.server, place.account),
    "administrator": lambda place: administrator_connection(place.server),
    "base": _base,
    "check": lambda place: printable(place.check),
    "cluster": lambda place: word(place.cluster.name),
    "deadline_seconds": lambda place: f"{place.cluster.deadline_seconds:g}",
    "dn": lambda place: _dn(place.account),
    "every": lambda place: _each_of(place, place.cluster.data_servers),
    "file": _password_place,
    "filter": lambda place: word(str(getattr(place.params, "filter", "(objectClass=*)"))),
    "group": lambda place: word(getattr(place.params, "group", "")),
    "handshake": _handshake,
    "host": lambda place: printable(parse_uri(place.server.uri).host),
    "ldaphealth": _ldaphealth,
    "listening": _listening,
    "lookup": lambda place: f"getent ahosts {word(parse_uri(place.server.uri).host)}",
    "member": _member,
    "others": _others,
    "server": lambda place: word(place.server.id),
    "session": lambda place: ldap_connection(place.server, place.server.credentials),
    "writer": lambda place: administrator_connection(_writable(place)),
    "uri": lambda place: printable(place.server.uri),
}
