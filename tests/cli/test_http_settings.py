"""The keys `agent.http` and `agent.haproxy`: mistakes, files, and what loads because of them."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest

from demo import ports
from demo.running_program import RunningProgram
from tests.cli.test_main import run

CLUSTERS = 'clusters: {c: {servers: {a: "ldap://127.0.0.1:1"}}}\n'
IMPORTED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)


def written(tmp_path: Path, agent: str) -> str:
    path = tmp_path / "ldaphealth.yaml"
    where = f'runtime_directory: "{tmp_path}/run", state_directory: "{tmp_path}/state"'
    path.write_text(f"agent: {{{where}, {agent}}}\n{CLUSTERS}")
    return str(path)


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        ("http: {listen: 8389}", "agent.http.listen: must be a text"),
        ("http: {listen: 'localhost'}", "agent.http.listen: 'localhost' is not HOST:PORT"),
        ("haproxy: {listen: ':1'}", "agent.haproxy.listen: ':1' is not HOST:PORT"),
        ("http: {user: anna}", "agent.http: user and password_file must be given together"),
        ("http: {user: 'a:b', password_file: /x}", "agent.http.user: must not contain a colon"),
        ("http: {key_file: /x}", "agent.http.key_file: needs certificate_file"),
        ("http: {client_ca_file: /x}", "agent.http.client_ca_file: needs certificate_file"),
        (
            "http: {web_config_file: /x, certificate_file: /y}",
            "agent.http.certificate_file: must not be given together with web_config_file",
        ),
        ("http: {web_config_file: /nowhere}", "agent.http: /nowhere: cannot read it"),
        ("http: {lisen: '127.0.0.1:1'}", "agent.http.lisen: unknown key; did you mean listen?"),
        ("http: {token_file: /nowhere}", "agent.http: /nowhere: cannot read the password"),
        ("http: {certificate_file: /nowhere}", "agent.http: /nowhere: no certificate"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, agent: str, problem: str) -> None:
    config = written(tmp_path, agent)
    status, out, err = run("config", "check", config)

    assert (status, out, len(err.splitlines())) == (3, "", 1), err
    assert problem in err
    status, out, _ = run("config", "check", config, "--format", "json")
    assert status == 3
    assert problem in json.loads(out)["problems"][0]


@pytest.mark.parametrize("agent", ["http: {}", "haproxy: {}, http: {listen: '[::1]:8389'}", ""])
def test_what_is_right_is_accepted(tmp_path: Path, agent: str) -> None:
    assert run("config", "check", written(tmp_path, agent))[0] == 0


def test_files_that_only_the_agent_reads_fail_no_other_command(tmp_path: Path) -> None:
    """The script of keepalived may run as a user without access to them."""
    config = written(tmp_path, "http: {token_file: /nowhere, certificate_file: /nowhere}")
    status, out, err = run("check", "--config", config, "c/a", "--deadline", "1")

    assert (status, err) == (1, ""), out


def test_an_agent_that_cannot_listen_says_why(tmp_path: Path) -> None:
    config = written(tmp_path, "http: {listen: 'no.such.host.invalid:1'}")
    status, _, err = run("agent", "--config", config)

    assert status == 3
    assert err.startswith("ldaphealth: agent.http.listen: cannot listen on no.such.host.invalid")
    assert len(err.splitlines()) == 1


def imported(config: str) -> tuple[set[str], str]:
    """Return what an agent loads until it has started, and a second longer, and what it logs."""
    command = [sys.executable, "-X", "importtime", "-m", "ldaphealth", "agent", "--config", config]
    log = Path(config).with_suffix(".log")
    log.unlink(missing_ok=True)
    with RunningProgram(command, log, stop_seconds=5.0) as agent:
        agent.wait_until(lambda: "event=started" in agent.log(), 20.0, "it has not started")
        time.sleep(1.0)
    said = agent.log()
    assert agent.status == 0, said
    return set(IMPORTED.findall(said)), said


def test_nothing_of_it_loads_unless_it_is_wanted(tmp_path: Path) -> None:
    reserved = ports.reserve(1, ("127.0.0.1",))
    without, _ = imported(written(tmp_path, "track_files: false"))
    haproxy, said = imported(
        written(tmp_path, f"haproxy: {{listen: '127.0.0.1:{reserved.ports[0]}'}}")
    )
    reserved.release()

    assert "ldaphealth.agent.agent" in without
    assert {name.partition(".")[0] for name in without} & {"uvicorn", "starlette", "h11"} == set()
    assert not any(name.startswith("ldaphealth.web") for name in without)
    assert "ldaphealth.web.server" in haproxy
    assert {name.partition(".")[0] for name in haproxy} & {"uvicorn", "starlette", "h11"} == set()
    assert "other hosts have access" not in said


def test_others_than_this_machine_are_warned_of(tmp_path: Path) -> None:
    reserved = ports.reserve(2, ("0.0.0.0",))
    http, haproxy = reserved.ports
    _, said = imported(
        written(
            tmp_path,
            f"http: {{listen: '0.0.0.0:{http}'}}, haproxy: {{listen: '0.0.0.0:{haproxy}'}}",
        )
    )
    reserved.release()

    assert said.count("level=warning") >= 2
    assert "agent.http.listen: other hosts have access" in said
    assert "agent.haproxy.listen: other hosts have access" in said
