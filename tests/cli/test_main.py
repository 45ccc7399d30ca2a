"""The program as people call it: bad input is one clear line and exit status 3."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CSN_A = "20260101000000.000000Z#000000#001#000000"
CSN_B = "20260101000001.500000Z#000000#002#000000"
CONFIG = """\
clusters:
  example:
    suffix: dc=example,dc=com
    servers: {ldap1: "ldap://127.0.0.1:1", ldap2: {uri: "ldap://127.0.0.1:2", weight: 50}}
    checks: {write: {container: "ou=canaries,dc=example,dc=com", agent: lb1}}
"""


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ldaphealth", *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "http://h"], "no LDAP URL"),
        (["check", "ldap://h", "example"], "not both"),
        (["check", "--config", "/nonexistent"], "No such file"),
        (["check", "ldap://h", "--bind-dn", "cn=x"], "go together"),
        (["check", "ldap://h", "--deadline", "0"], "not in the range"),
        (["check", "ldap://h", "ldap://i", "--format", "keepalived"], "exactly one"),
        (["csn", "parse", "x"], "is no CSN"),
        (["nosuch"], "No such command"),
        (["check", "--nosuch"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_3(arguments: list[str], words: str) -> None:
    status, out, err = run(*arguments)

    assert (status, out, len(err.splitlines())) == (3, "", 1), err
    assert words in err


def test_an_unknown_server_is_answered_with_the_nearest(config: str) -> None:
    status, _, err = run("check", "--config", config, "example/ldap3")

    assert (status, "did you mean example/ldap" in err) == (3, True)


def test_dead_servers_are_out_and_keepalived_is_told_of_one(config: str) -> None:
    status, out, _ = run("check", "--config", config)
    keepalived = run("check", "--config", config, "example/ldap2", "--format", "keepalived")

    assert (status, "0 of 2 servers in service" in out) == (1, True)
    assert keepalived == (1, "1 example/ldap2 out of service connect.connect\n", "")


def test_the_canary_plan_is_ldif_for_each_server(config: str) -> None:
    status, out, _ = run("canary", "plan", "--config", config, "example")

    assert status == 0
    assert out.count("dn: cn=lb1 example/ldap") == 2
    assert "ou: ldaphealth canary of lb1 for example/ldap1\n" in out


def test_csn_compare_says_that_the_gap_is_no_lateness() -> None:
    status, out, _ = run("csn", "compare", CSN_A, CSN_B)

    assert status == 0
    assert out.startswith("B is newer")
    assert "not how late a server is" in out


@pytest.mark.parametrize("arguments", [["--help"], ["csn", "parse", CSN_A], ["check", "--help"]])
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom ldaphealth.__main__ import main\n"
        f"sys.argv = ['ldaphealth', *{arguments}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "loaded = {'ldap3', 'pydantic', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
