"""Templates of sentences with commands: `{cluster}` is a value, `{account:PROGRAM REST}` a command.

They are filled by `str.format`. reason_codes.py has the templates, remedies.py the values of a
configured server; `READABLE` has the words in place of values where no server is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

LONGEST_REMEDY = 8000  # characters, with the URIs of a large cluster
ADMINISTRATOR = '"$ADMIN_DN"'  # of a shell: whose DN no configuration has


class Connection(Struct, frozen=True):
    """The options with which a program of ldap-utils connects to a server and binds.

    The format specification is the program and its other arguments: the result is the command.
    `environment` comes before it; `uris` are several servers, one after the other.
    """

    options: str
    environment: str = ""
    uris: str = ""

    def __format__(self, spec: str) -> str:
        program, _, rest = spec.partition(" ")
        words = " ".join(filter(None, (self.environment, program, self.options, rest)))
        return f"for uri in {self.uris}; do {words}; done" if self.uris else words


class Program(Struct, frozen=True):
    """The beginning of a command; the format specification is the rest."""

    words: str

    def __format__(self, spec: str) -> str:
        return f"{self.words} {spec}"


READABLE: Mapping[str, object] = {
    "account": Connection("-x -H URI -D DN -y FILE"),
    "administrator": Connection(f"-x -H URI -D {ADMINISTRATOR} -W"),
    "base": "BASE",
    "check": "NAME",
    "cluster": "CLUSTER",
    "deadline_seconds": "SECONDS",
    "dn": "DN",
    "every": Connection('-x -H "$uri" -D DN -y FILE', uris="URI URI"),
    "file": "the password file",
    "filter": "FILTER",
    "group": "GROUP",
    "handshake": "openssl s_client -connect HOST:PORT </dev/null",
    "host": "the server",
    "ldaphealth": Program("ldaphealth"),
    "listening": "ss -ltnp 'sport = :PORT'",
    "lookup": "getent ahosts HOST",
    "member": "member:DN",
    "others": Connection('-x -H "$uri" -D DN -y FILE', uris="URI URI"),
    "server": "CLUSTER/SERVER",
    "session": Connection("-x -H URI -D DN -y FILE"),
    "uri": "URI",
    "writer": Connection(f"-x -H URI -D {ADMINISTRATOR} -W"),
}


def with_values(template: str, values: Mapping[str, object] = READABLE) -> str:
    """Return the template with these values; KeyError if it names another."""
    return template.format_map(values)
