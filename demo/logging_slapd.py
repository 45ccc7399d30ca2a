"""One slapd that logs each operation, with people and groups, and cn=accesslog.

A test and a benchmark learn from its logs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo import ports
from demo.client import Client, Credentials, LdapError
from demo.programs import find, slapd_for
from demo.running_program import RunningProgram
from demo.slapd_conf import MODULES, SCHEMA

SUFFIX = "dc=example,dc=org"
ROOT, PASSWORD = f"cn=root,{SUFFIX}", "passw0rd-of-root"
START_SECONDS = 60.0
TOOL_SECONDS = 60.0
DATABASE_BYTES = 256 << 20
CONF = f"""\
include {SCHEMA}/core.schema
include {SCHEMA}/cosine.schema
include {SCHEMA}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
moduleload accesslog
conn_max_pending 1000
database mdb
suffix cn=accesslog
rootdn {ROOT}
directory {{directory}}/log-db
maxsize {DATABASE_BYTES}
dbnosync
database mdb
suffix {SUFFIX}
rootdn {ROOT}
rootpw {PASSWORD}
directory {{directory}}/db
maxsize {DATABASE_BYTES}
dbnosync
index objectClass,uid,member,mail eq
"""
ACCESSLOG = """\
overlay accesslog
logdb cn=accesslog
logops all
"""
CONTAINERS = f"""\
dn: {SUFFIX}
objectClass: domain
dc: example

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{SUFFIX}
objectClass: organizationalUnit
ou: groups
"""
PERSON = f"""
dn: uid={{0}}-u1d,ou=people,{SUFFIX}
objectClass: inetOrgPerson
uid: {{0}}-u1d
cn: {{0}}-Näme
sn: {{0}}-surname
mail: {{0}}@m4il.example
userPassword: {{0}}-passw0rd

dn: cn={{0}}-team,ou=groups,{SUFFIX}
objectClass: groupOfNames
cn: {{0}}-team
member: uid={{0}}-u1d,ou=people,{SUFFIX}
"""


@dataclass(eq=False)
class LoggingSlapd:
    """A slapd in a directory, with its log in the file `log` there; a context manager.

    People are called p0, p1 and so on in all their values.
    """

    directory: Path
    people: int = 50
    accesslog: bool = True
    url: str = field(default="", init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

    @property
    def log(self) -> Path:
        """The statistics log, as `slapd -d stats` writes it."""
        return self.directory / "log"

    @property
    def password_file(self) -> Path:
        """The file with the password of ROOT."""
        return self.directory / "password"

    @property
    def client(self) -> Client:
        """A client that binds as ROOT."""
        return Client(self.url, Credentials(ROOT, self.password_file))

    def __enter__(self) -> Self:
        """Load the entries, start slapd, and return when it answers."""
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End slapd, and remove its databases."""
        self._open.close()

    def _start(self) -> None:
        for name in ("db", "log-db"):
            (self.directory / name).mkdir()
            self._open.callback(shutil.rmtree, self.directory / name)
        conf = self.directory / "slapd.conf"
        text = CONF + (ACCESSLOG if self.accesslog else "")
        conf.write_text(text.format(directory=self.directory))
        self.password_file.touch(0o600)
        self.password_file.write_text(PASSWORD)
        people = "".join(PERSON.format(f"p{number}") for number in range(self.people))
        binary = slapd_for(self.directory)
        load = (binary, "-T", "add", "-q", "-f", conf, "-b", SUFFIX)
        ldif = (CONTAINERS + people).encode()
        subprocess.run(load, input=ldif, check=True, capture_output=True, timeout=TOOL_SECONDS)
        reservation = ports.reserve(1, ("127.0.0.1",))
        self._open.callback(reservation.release)
        self.url = f"ldap://127.0.0.1:{reservation.ports[0]}"
        files = (find("prlimit"), "--nofile=1024:1024")
        command = (*files, binary, "-d", "stats", "-f", conf, "-h", self.url)
        slapd = RunningProgram(command, self.log)
        self._open.callback(slapd.stop)
        slapd.start(self._answers, START_SECONDS, "slapd does not answer")

    def _answers(self) -> bool:
        try:
            self.client.who_am_i()
        except LdapError:
            return False
        return True
