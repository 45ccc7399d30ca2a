"""OpenLDAP's command line tools as a client: ldapsearch(1), ldapmodify(1) and their exit status.

The nodes use it for the harness itself; it shares no code with the program under test.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.programs import find

# Neither /etc/ldap/ldap.conf nor a ~/.ldaprc may have an effect (ldap.conf(5)).
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LDAPNOINIT": "1"}

Entry = Mapping[str, tuple[str, ...]]


class LdapError(Exception):
    """An operation ended with a result code other than success, from the server or the client."""

    def __init__(self, result_code: int, text: str) -> None:
        super().__init__(f"{text.strip()} ({result_code})")
        self.result_code = result_code


@dataclass(frozen=True, slots=True)
class Credentials:
    """The DN to bind as. The password is in a file, because ps shows command lines to all users."""

    dn: str
    password_file: Path


@dataclass(frozen=True, slots=True)
class Client:
    """Operations on one server as one user or anonymously; each takes `timeout_seconds` at most.

    All of them raise LdapError with the result code of RFC 4511 (255: the server cannot be
    contacted), and subprocess.TimeoutExpired.
    """

    uri: str
    credentials: Credentials | None = None
    timeout_seconds: float = 15.0

    def search(
        self, base: str, where: str = "(objectClass=*)", *attributes: str, scope: str = "sub"
    ) -> list[Entry]:
        """Search; an entry maps `dn` and attribute names to values."""
        output = self._run(
            "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, where, *attributes
        )
        return parse(output)

    def read(self, dn: str, attribute: str) -> tuple[str, ...]:
        """Return the values of one attribute of one entry."""
        entries = self.search(dn, "(objectClass=*)", attribute, scope="base")
        return entries[0].get(attribute, ()) if entries else ()

    def change(self, ldif: str) -> None:
        """Make the changes of an LDIF (RFC 2849) on one connection, in order, up to an error."""
        self._run("ldapmodify", ldif=ldif)

    def modify(self, dn: str, change: str) -> None:
        """Modify one entry, such as `replace: description` and, on the next line, the value."""
        self.change(f"dn: {dn}\nchangetype: modify\n{change}\n")

    def add(self, dn: str, attributes: str) -> None:
        """Add one entry, given as lines of LDIF."""
        self.change(f"dn: {dn}\nchangetype: add\n{attributes}\n")

    def delete(self, dn: str) -> None:
        """Delete one entry."""
        self.change(f"dn: {dn}\nchangetype: delete\n")

    def set_password(self, dn: str, file: Path) -> None:
        """Give an entry the content of the file as its password, as ldappasswd(1) does."""
        self._run("ldappasswd", "-T", str(file), dn)

    def who_am_i(self) -> str:
        """Return the authorization identity (RFC 4532), such as `dn:cn=admin,...`."""
        return self._run("ldapwhoami").strip()

    def _run(self, program: str, *arguments: str, ldif: str = "") -> str:
        bind = []
        if self.credentials:
            bind = ["-D", self.credentials.dn, "-y", str(self.credentials.password_file)]
        done = subprocess.run(
            [find(program), "-x", "-H", self.uri, *bind, *arguments],
            input=ldif,
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
            timeout=self.timeout_seconds,
        )
        if done.returncode:
            raise LdapError(done.returncode, done.stderr)
        return done.stdout


def parse(ldif: str) -> list[Entry]:
    """Parse entries of unwrapped LDIF as ldapsearch and slapcat print it (RFC 2849)."""
    return [_entry(record.splitlines()) for record in ldif.split("\n\n") if record.strip()]


def _entry(lines: list[str]) -> Entry:
    values: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        text = base64.b64decode(value[1:]).decode() if value.startswith(":") else value[1:]
        values[name] = (*values.get(name, ()), text)
    return values
