"""The log and the cn=accesslog of a real slapd, after a load with values of clients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo import ports
from demo.client import Client, Credentials, LdapError
from demo.programs import find, slapd_for
from demo.running_program import RunningProgram
from demo.slapd_conf import MODULES, SCHEMA
from ldaphealth.cli.commands import cli
from ldaphealth.config.workload_file import load_workload
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Secret, Server
from ldaphealth.model import Credentials as ServerCredentials
from ldaphealth.workload.shape import Workload

pytestmark = pytest.mark.slapd

SUFFIX = "dc=example,dc=org"
ROOT, PASSWORD = f"cn=root,{SUFFIX}", "passw0rd-of-root"
PEOPLE = 50
START_SECONDS = 15.0
CONF = f"""\
include {SCHEMA}/core.schema
include {SCHEMA}/cosine.schema
include {SCHEMA}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
moduleload accesslog
database mdb
suffix cn=accesslog
rootdn {ROOT}
directory {{directory}}/log-db
database mdb
suffix {SUFFIX}
rootdn {ROOT}
rootpw {PASSWORD}
directory {{directory}}/db
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
PERSON = """
dn: uid={0}-u1d,ou=people,{1}
objectClass: inetOrgPerson
uid: {0}-u1d
cn: {0}-Näme
sn: {0}-surname
mail: {0}@m4il.example
userPassword: {0}-passw0rd

dn: cn={0}-team,ou=groups,{1}
objectClass: groupOfNames
cn: {0}-team
member: uid={0}-u1d,ou=people,{1}
"""
VALUES = (
    *("u1d", "Näme", "n\\c3\\a4me", "n\\C3\\A4me", "surname", "m4il", "passw0rd"),
    *("team", "wr1tten"),
)


def loaded(session: Session, number: int) -> None:
    """Do the searches and compares of one user: 5, 3, 2, 1 of each kind."""
    name = f"p{number}"
    dn = f"uid={name}-u1d,ou=people,{SUFFIX}"
    where = f"(&(objectClass=inetOrgPerson)(|(uid={name}-u1d)(mail={name}@m4il.example)))"
    for _ in range(5):
        session.search(SUFFIX, "sub", where, ("cn", "mail"))
    for _ in range(3):
        session.search(dn, "base", "(objectClass=*)", ())
    for _ in range(2):
        session.search(f"ou=groups,{SUFFIX}", "one", f"(member={dn})", ("cn",))
    session.search(f"ou=people,{SUFFIX}", "sub", f"(cn={name}-n*me)", ("*", "+"))
    session.compare(dn, "sn", f"{name}-surname")


def written(client: Client, directory: Path) -> None:
    """Do one operation of each kind that writes, and binds that are refused."""
    dn = f"uid=p1-u1d,ou=people,{SUFFIX}"
    client.modify(dn, "replace: sn\nsn: wr1tten")
    client.change(f"dn: {dn}\nchangetype: modrdn\nnewrdn: uid=wr1tten\ndeleteoldrdn: 1\n")
    client.delete(f"uid=wr1tten,ou=people,{SUFFIX}")
    client.add(f"uid=wr1tten,ou=people,{SUFFIX}", "objectClass: inetOrgPerson\ncn: wr1tten\nsn: x")
    password = directory / "new-password"
    password.write_text("wr1tten")
    client.set_password(f"uid=wr1tten,ou=people,{SUFFIX}", password)
    client.who_am_i()
    for _ in range(3):
        with contextlib.suppress(LdapError):
            Client(client.uri, Credentials(f"uid=p2-u1d,ou=people,{SUFFIX}", password)).who_am_i()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """Yield a server after its load: its URL, its log, and a file with the password."""
    directory = tmp_path_factory.mktemp("slapd")
    for name in ("db", "log-db"):
        (directory / name).mkdir()
    conf, password = directory / "slapd.conf", directory / "password"
    conf.write_text(CONF.format(directory=directory))
    password.touch(0o600)
    password.write_text(PASSWORD)
    reservation = ports.reserve(1, ("127.0.0.1",))
    url = f"ldap://127.0.0.1:{reservation.ports[0]}"
    people = "".join(PERSON.format(f"p{number}", SUFFIX) for number in range(PEOPLE))
    binary, log = slapd_for(directory), directory / "log"
    load = RunningProgram((str(binary), "-T", "add", "-q", "-f", str(conf), "-b", SUFFIX), log)
    (directory / "ldif").write_text(CONTAINERS + people, encoding="utf-8")
    load.command = (*load.command, "-l", str(directory / "ldif"))
    with load:
        load.wait_until(load.has_ended, START_SECONDS, "slapadd does not end")
    files = (find("prlimit"), "--nofile=1024:1024")
    command = (*files, binary, "-d", "stats", "-f", conf, "-h", url)
    slapd = RunningProgram(tuple(map(str, command)), log)
    client = Client(url, Credentials(ROOT, password))
    with slapd:
        slapd.wait_until(lambda: answers(client), START_SECONDS, "slapd does not answer")
        credentials = ServerCredentials(BindMethod.SIMPLE, ROOT, Secret(PASSWORD))
        server = Server(cluster="c", name="s", uri=url, credentials=credentials)
        for number in range(PEOPLE):
            session = open_session(server, Deadline.after(START_SECONDS))
            loaded(session, number)
            session.unbind()
        written(client, directory)
        yield url, log, password
    reservation.release()


def answers(client: Client) -> bool:
    try:
        client.who_am_i()
    except LdapError:
        return False
    return True


def learn(*arguments: str | Path, output: Path) -> tuple[str, Workload]:
    words = ["workload", "learn", *map(str, arguments), "--output", str(output)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    return output.read_text(), load_workload(output)


TRUTH = {
    "(&(objectClass=inetOrgPerson)(|(uid={uid})(mail={mail})))": 5,
    "(objectClass=*)": 3,
    "(member={member})": 2,
    "(cn={cn}*{cn})": 1,
    "": 1,  # the compare
}


def check(text: str, workload: Workload) -> None:
    """Check what must hold of a workload, wherever it was learnt."""
    assert [value for value in VALUES if value in text] == []
    assert {shape.operation for shape in workload.shapes} == {"search", "compare"}
    found = {
        shape.filter.replace("{uid-2}", "{uid}").replace("{cn-2}", "{cn}"): shape.share
        for shape in workload.shapes
    }
    assert found.keys() == TRUTH.keys()
    for where, count in TRUTH.items():
        assert found[where] == pytest.approx(count / sum(TRUTH.values()), abs=0.01), where
    assert workload.left_out["modify"] >= 1
    assert workload.left_out["delete"] == workload.left_out["add"] == 1
    assert workload.left_out["modrdn"] == 1
    assert workload.left_out["bind"] >= PEOPLE


def test_the_statistics_log_shows_the_shapes_and_no_value(
    site: tuple[str, Path, Path], tmp_path: Path
) -> None:
    _, log, _ = site
    raw = log.read_text()
    text, workload = learn(log, output=tmp_path / "workload.yaml")

    assert all(value in raw for value in ("u1d", "m4il", "wr1tten"))
    check(text, workload)
    assert workload.left_out["extended"] >= 2
    for shape in workload.shapes:
        assert sum(shape.seconds.values()) == shape.count
        assert 0 < shape.times.quantile(0.5) < 1


def test_accesslog_shows_the_same_shapes_and_no_value(
    site: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, log, password = site
    account = ("--bind-dn", ROOT, "--password-file", password)
    text, workload = learn(url, *account, output=tmp_path / "accesslog.yaml")
    _, from_log = learn(log, output=tmp_path / "log.yaml")

    check(text, workload)
    assert {shape.filter: shape.results for shape in workload.shapes} == {
        shape.filter: shape.results for shape in from_log.shapes
    }


def test_accesslog_is_read_up_to_a_number_of_operations(
    site: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, _, password = site
    account = ("--bind-dn", ROOT, "--password-file", password)
    _, workload = learn(url, *account, "--entries", "140", output=tmp_path / "w.yaml")

    others = workload.left_out["bind"] + workload.left_out["unbind"]
    assert workload.operations + others == 140


def test_an_account_without_rights_is_named(site: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, _, _ = site
    words = ["workload", "learn", url, "--log-base", "cn=none", "--output", str(tmp_path / "w")]
    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 1
    assert url in done.output
    assert "noSuchObject" in done.output
