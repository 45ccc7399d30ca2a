"""Two slapds that grant nothing, a provider and its consumer, and what `ldaphealth setup` adds.

Each has cn=Monitor, cn=accesslog and a password policy. The database monitor is the first one, as
some distributions have it: slapd reads its rules before it knows the attributes of the others.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from demo import ports
from demo.client import Client, Credentials
from demo.programs import find, slapd_for
from demo.running_program import RunningProgram
from demo.slapd import Slapd
from demo.tree import CANARIES, CHECK_DN, PEOPLE, ROOT_DN, SUFFIX, person
from tests.slapd.running_agent import PROGRAM, environment_of, run_program

HOST, LOG = "127.0.0.1", "cn=accesslog"
NAMES = ("alpha", "beta")
POLICY = f"cn=default,ou=policies,{SUFFIX}"
TEAM = f"cn=team,ou=groups,{SUFFIX}"
SECRET = "hidden"
EXTERNAL = f"gidNumber={os.getgid()}+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth"
DATABASES = {"cn=Monitor": "{1}monitor", LOG: "{2}mdb", SUFFIX: "{3}mdb"}
CONF = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.4203.666.99.1 NAME 'sambaNTPassword' SUP name )
attributetype ( 1.3.6.1.4.1.4203.666.99.2 NAME 'krbPrincipalKey' SUP name )
objectclass ( 1.3.6.1.4.1.4203.666.99.3 NAME 'hashes' SUP top AUXILIARY
  MAY ( sambaNTPassword $ krbPrincipalKey ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_monitor
moduleload syncprov
moduleload accesslog
moduleload ppolicy
serverID {{number}}
loglevel 0
sizelimit 500
database frontend
access to dn.base="" by * read
access to dn.base="cn=Subschema" by * read
database config
rootdn {EXTERNAL}
database monitor
rootdn {ROOT_DN}
{{monitor}}
access to * by * none
database mdb
suffix {LOG}
directory {{directory}}/log-db
maxsize 67108864
dbnosync
rootdn {ROOT_DN}
index reqStart eq
{{log}}
access to * by * none
database mdb
suffix {SUFFIX}
directory {{directory}}/db
maxsize 67108864
dbnosync
rootdn {ROOT_DN}
rootpw secret
index uid,description,entryUUID,entryCSN eq
{{data}}
access to * by * none
{{replication}}
overlay syncprov
overlay ppolicy
ppolicy_default {POLICY}
overlay accesslog
logdb {LOG}
logops all
"""
SYNCREPL = f"""\
syncrepl rid=1 provider={{provider}} type=refreshAndPersist retry="1 +" searchbase="{SUFFIX}"
  bindmethod=simple binddn="{ROOT_DN}" credentials=secret"""
ENTRIES = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people
description: {SECRET}

dn: ou=groups,{SUFFIX}
objectClass: organizationalUnit
ou: groups

dn: ou=policies,{SUFFIX}
objectClass: organizationalUnit
ou: policies

dn: {POLICY}
objectClass: device
objectClass: pwdPolicy
cn: default
description: {SECRET}
pwdAttribute: userPassword
pwdInHistory: 5
pwdMaxAge: 31536000

dn: {TEAM}
objectClass: groupOfNames
cn: team
description: {SECRET}
member: {person(1)}
""" + "".join(
    f"""
dn: {person(number)}
objectClass: inetOrgPerson
objectClass: hashes
uid: user{number}
cn: User {number}
sn: {number}
mail: user{number}@example.com
description: {SECRET}
carLicense: {SECRET}
sambaNTPassword: {SECRET}
krbPrincipalKey: {SECRET}
userPassword: {SECRET}
"""
    for number in range(1, 6)
)
WORKLOAD = f"""\
form: 1
operations: 20
sources:
  uid: {{attribute: uid, base: "{PEOPLE}"}}
  person: {{dn: "uid=*,{PEOPLE}"}}
shapes:
  - {{name: search-uid, operation: search, base: "{PEOPLE}", scope: one, filter: "(uid={{uid}})",
     attributes: [cn], count: 10, share: 0.5, results: {{0: 10}}, entries: {{1: 10}}}}
  - {{name: compare-sn, operation: compare, base: "{{person}}", attribute: sn, value: "x",
     count: 10, share: 0.5, results: {{5: 10}}}}
"""
CONFIG = f"""\
agent: {{{{runtime_directory: "{{directory}}/run", state_directory: "{{directory}}/state"}}}}
credentials:
  probe: {{{{dn: "{CHECK_DN}", password_file: "{{directory}}/password"}}}}
  user: {{{{dn: "{person(1)}", password_file: "{{directory}}/password"}}}}
clusters:
  c:
    suffix: {SUFFIX}
    credentials: probe
    interval_seconds: 1
    servers: {{{{alpha: "{{alpha}}", beta: {{{{uri: "{{beta}}", role: consumer}}}}}}}}
    checks:
      bind: {{{{password_policy: "{POLICY}"}}}}
      search: {{{{base: "{PEOPLE}", scope: one, filter: "(uid=user*)",
                attribute: sn, value: "1"}}}}
      spaced: {{{{check: search, base: "{SUFFIX}", scope: sub,
                filter: "(&(cn=User 3)(objectClass=inetOrgPerson))"}}}}
      compare: {{{{dn: "{person(2)}", attribute: mail, value: user2@example.com}}}}
      write: {{{{container: "{CANARIES}", agent: lb1, search: true}}}}
      login: {{{{filter: "(uid=user1)", credentials: user, attributes: [cn], group: "{TEAM}"}}}}
      counters: true
      content: {{{{cover_hours: 0.01, values: true}}}}
      propagation: {{{{container: "{CANARIES}", agent: lb1, interval_seconds: 2, lost_seconds: 5}}}}
      traffic: {{{{base: "{LOG}", interval_seconds: 5}}}}
      workload: {{{{file: "{{directory}}/workload.yaml", interval_seconds: 1}}}}
"""

Form = Literal["cn=config", "slapd.conf"]


class StrictSite:
    """The servers with what setup printed, applied by the tools that it names."""

    def __init__(self, directory: Path, form: Form, running: ExitStack) -> None:
        self.directory, self.form = directory, form
        reserved = ports.reserve(len(NAMES), (HOST,))
        running.callback(reserved.release)
        self.uris = {
            name: f"ldap://{HOST}:{port}" for name, port in zip(NAMES, reserved.ports, strict=True)
        }
        self.config = directory / "ldaphealth.yaml"
        self.config.write_text(CONFIG.format(directory=directory, **self.uris))
        (directory / "workload.yaml").write_text(WORKLOAD)
        self.slapds = {name: self._slapd(name) for name in NAMES}
        for slapd in self.slapds.values():
            running.callback(slapd.kill)
            slapd.start()
        self._add_entries()
        if form == "cn=config":
            self.change_config(self.rules())
        self.agent = RunningProgram([PROGRAM, "agent"], directory / "log", self.environment)
        running.callback(self.agent.stop)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return where programs find the configuration and the socket."""
        return environment_of(self.directory)

    def run(self, *words: str) -> str:
        """Run the program; return what it prints."""
        return run_program(self.environment, *words).stdout

    def setup(self, *words: str) -> str:
        """Return what `ldaphealth setup` prints."""
        found = self.run("setup", "--all-accounts", "--agent", "lb1", "--agent", "lb2", *words)
        assert found
        return found

    def client(self, dn: str, name: str = "alpha") -> Client:
        """Return a client that binds as a DN."""
        file = self._file("root-password" if dn == ROOT_DN else "password", "secret")
        return Client(self.uris[name], Credentials(dn, file))

    def findings(self) -> list[dict[str, Any]]:
        """Return the findings of the agent on all servers, each with its server ID."""
        status = json.loads(self.run("status", "--format", "json") or '{"verdicts": []}')
        return [
            {"server": verdict["server"], **each}
            for verdict in status["verdicts"]
            for each in verdict["findings"]
        ]

    def _slapd(self, name: str) -> Slapd:
        directory = self.directory / name
        slapd = Slapd(slapd_for(self.directory), directory, (self.uris[name],))
        (directory / "log-db").mkdir(parents=True)
        rules = dict.fromkeys(DATABASES, "")
        if self.form == "slapd.conf":
            rules |= self._rules()
        replication = SYNCREPL.format(provider=self.uris["alpha"]) if name == "beta" else ""
        conf = CONF.format(
            number=NAMES.index(name) + 1,
            directory=directory,
            monitor=rules["cn=Monitor"],
            log=rules[LOG],
            data=rules[SUFFIX],
            replication=replication,
        )
        slapd.load(conf, ENTRIES if name == "alpha" else "")
        return slapd

    def _rules(self) -> dict[str, str]:
        (document,) = json.loads(self.setup("--for", "slapd.conf", "--format", "json"))
        return {each["context"]: "\n".join(each["lines"]) for each in document["rules"]}

    def rules(self) -> str:
        """Return the LDIF with the rules for cn=config."""
        named = [f"--database={suffix}={name}" for suffix, name in DATABASES.items()]
        return self.setup("--part", "rules", *named)

    def change_config(self, ldif: str) -> None:
        """Send LDIF to cn=config of each server, as root of its host."""
        for slapd in self.slapds.values():
            _tool(("ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", slapd.ldapi_uri), ldif)

    def _add_entries(self) -> None:
        self._file("password", SECRET)
        root = self._file("root-password", "secret")
        bind = ("-x", "-H", self.uris["alpha"], "-D", ROOT_DN, "-y", str(root))
        _tool(("ldapadd", "-c", *bind), self.setup("--part", "entries"))
        password = ("-T", str(self.directory / "password"))
        for dn in (CHECK_DN, person(1), person(1)):
            _tool(("ldappasswd", *bind, *password, dn))

    def _file(self, name: str, text: str) -> Path:
        path = self.directory / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(text)
        return path


def _tool(command: Sequence[str], ldif: str = "") -> None:
    subprocess.run(
        [find(command[0]), *command[1:]],
        input=ldif,
        env={"LDAPNOINIT": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
