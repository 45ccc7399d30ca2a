"""The log and the cn=accesslog of a real slapd, after a load with values of clients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo.client import Client, Credentials, LdapError
from demo.logging_slapd import PASSWORD, ROOT, SUFFIX, LoggingSlapd
from ldaphealth.checks.workload import Params
from ldaphealth.checks.workload_survey import do_one_draw
from ldaphealth.cli.commands import cli
from ldaphealth.config.workload_file import load_workload
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Secret, Server
from ldaphealth.model import Credentials as ServerCredentials
from ldaphealth.survey import SurveyContext
from ldaphealth.workload.shape import Workload

pytestmark = pytest.mark.slapd

START_SECONDS = 15.0
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
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggingSlapd]:
    """Yield a server after its load."""
    with LoggingSlapd(tmp_path_factory.mktemp("slapd")) as slapd:
        credentials = ServerCredentials(BindMethod.SIMPLE, ROOT, Secret(PASSWORD))
        server = Server(cluster="c", name="s", uri=slapd.url, credentials=credentials)
        for number in range(slapd.people):
            session = open_session(server, Deadline.after(START_SECONDS))
            loaded(session, number)
            session.unbind()
        written(slapd.client, slapd.directory)
        yield slapd


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


def check(text: str, workload: Workload, people: int) -> None:
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
    assert workload.left_out["bind"] >= people


def test_the_statistics_log_shows_the_shapes_and_no_value(
    slapd: LoggingSlapd, tmp_path: Path
) -> None:
    raw = slapd.log.read_text()
    text, workload = learn(slapd.log, output=tmp_path / "workload.yaml")

    assert all(value in raw for value in ("u1d", "m4il", "wr1tten"))
    check(text, workload, slapd.people)
    assert workload.left_out["extended"] >= 2
    for shape in workload.shapes:
        assert sum(shape.seconds.values()) == shape.count
        assert 0 < shape.times.quantile(0.5) < 1


def test_accesslog_shows_the_same_shapes_and_no_value(slapd: LoggingSlapd, tmp_path: Path) -> None:
    account = ("--bind-dn", ROOT, "--password-file", slapd.password_file)
    text, workload = learn(slapd.url, *account, output=tmp_path / "accesslog.yaml")
    _, from_log = learn(slapd.log, output=tmp_path / "log.yaml")

    check(text, workload, slapd.people)
    assert {shape.filter: shape.results for shape in workload.shapes} == {
        shape.filter: shape.results for shape in from_log.shapes
    }


def test_accesslog_is_read_up_to_a_number_of_operations(
    slapd: LoggingSlapd, tmp_path: Path
) -> None:
    account = ("--bind-dn", ROOT, "--password-file", slapd.password_file)
    _, workload = learn(slapd.url, *account, "--entries", "140", output=tmp_path / "w.yaml")

    others = workload.left_out["bind"] + workload.left_out["unbind"]
    assert workload.operations + others == 140


def test_an_account_without_rights_is_named(slapd: LoggingSlapd, tmp_path: Path) -> None:
    words = [
        "workload",
        "learn",
        slapd.url,
        "--log-base",
        "cn=none",
        "--output",
        str(tmp_path / "w"),
    ]
    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 1
    assert slapd.url in done.output
    assert "noSuchObject" in done.output


def test_what_was_learnt_is_done_again_with_values_of_the_directory(
    slapd: LoggingSlapd, tmp_path: Path
) -> None:
    _, workload = learn(slapd.log, output=tmp_path / "again.yaml")
    file = workload.in_file(tmp_path / "again.yaml")
    credentials = ServerCredentials(BindMethod.SIMPLE, ROOT, Secret(PASSWORD))
    server = Server(cluster="c", name="s", uri=slapd.url, suffix=SUFFIX, credentials=credentials)
    found = do_one_draw(
        SurveyContext(
            servers=(server,),
            params=Params(file=file, operations=100, most_seconds=20.0),
            deadline=Deadline.after(30.0),
            kept=None,
            open_session=open_session,
            wait=lambda _: False,
        ),
        lambda: 0.0,
    ).found["c/s"]
    done = found.facts.done

    assert found.facts.without_values == 0.0
    assert len(done) == 100
    assert {each.name for each in done} <= {"success", "compareTrue", "compareFalse"}
    of_one_value = {shape.name for shape in workload.shapes if len(shape.sources) == 1}
    searches = [each for each in done if each.shape in of_one_value and "search" in each.shape]
    assert {each.entries > 0 for each in searches} == {True}
