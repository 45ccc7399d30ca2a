"""`ldaphealth generate` prints, or writes a file that was not there, and names each mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ldaphealth.cli.generated_file import program_started_as
from ldaphealth.generate.kinds import KINDS
from ldaphealth.generate.site import DEFAULT_PROGRAM
from tests.cli.test_main import run
from tests.generate.sites import ODD, USUAL

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(USUAL)
    return str(path)


@pytest.mark.parametrize("kind", [each.name for each in KINDS])
def test_every_kind_is_printed(config: str, kind: str) -> None:
    status, out, err = run("generate", kind, "--config", config)

    assert (status, err) == (0, "")
    assert out.endswith("\n")
    assert not out.endswith("\n\n")


def test_a_file_is_written_once(config: str, tmp_path: Path) -> None:
    output = tmp_path / "haproxy.cfg"
    command = ("generate", "haproxy", "--config", config, "--output", str(output))

    assert run(*command) == (0, "", "")
    assert output.read_text() == run("generate", "haproxy", "--config", config)[1]
    output.write_text("mine")
    status, out, err = run(*command)
    assert (status, out) == (3, "")
    assert err == f"ldaphealth: {output} exists; --force replaces it\n"
    assert output.read_text() == "mine"
    assert run(*command, "--force") == (0, "", "")
    assert "listen example" in output.read_text()


def test_a_directory_that_is_missing_is_named(config: str, tmp_path: Path) -> None:
    output = tmp_path / "missing" / "x"
    status, _, err = run("generate", "nagios", "--config", config, "--output", str(output))

    assert (status, err) == (3, f"ldaphealth: cannot write {output}: No such file or directory\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["exampel"], "has no cluster 'exampel'; did you mean example?"),
        (["--virtual-address", "192.0.2.300"], "192.0.2.300: not an IP address"),
        (["--virtual-address", "x=192.0.2.10"], "no cluster 'x'"),
        (["--interface", "eth0 { }"], "not the name of an interface"),
        (["--interface", "a" * 16], "not the name of an interface"),
    ],
)
def test_a_wrong_argument_is_one_line(config: str, options: list[str], complaint: str) -> None:
    status, out, err = run("generate", "keepalived", "--config", config, *options)

    assert (status, out, err.count("\n")) == (3, "", 1)
    assert complaint in err


def test_one_of_several_clusters(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(ODD)
    arguments = ("generate", "keepalived", "--config", str(path))
    address = "2001:DB8::0:30"

    status, out, _ = run(*arguments, "second", "--virtual-address", address)
    assert (status, "_a.b-c" in out) == (0, False)
    assert "virtual_server 2001:db8::30 389 {" in out
    status, out, err = run(*arguments, "--virtual-address", address)
    assert (status, out) == (3, "")
    assert "several clusters; write _a.b-c=" in err
    status, out, _ = run(*arguments, "--virtual-address", f"second={address}")
    assert "virtual_server 2001:db8::30 389 {" in out


def test_a_host_name_is_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text('clusters: {c: {servers: {a: "ldap://localhost", b: "ldap://192.0.2.1"}}}')
    status, out, _ = run("generate", "keepalived", "--config", str(path))

    assert status == 0
    assert "# c/a is left out: 127.0.0.1 is this host itself." in out


def test_a_mistyped_kind_is_named() -> None:
    status, out, err = run("generate", "keepalive")

    assert (status, out) == (3, "")
    assert "No such kind 'keepalive'; did you mean keepalived?" in err


def test_the_program_is_the_one_that_was_started(tmp_path: Path) -> None:
    program = tmp_path / "ldaphealth"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert program_started_as(str(program)) == program
    assert program_started_as(str(tmp_path / "missing" / "ldaphealth")) == DEFAULT_PROGRAM
    assert program_started_as(str(tmp_path / "__main__.py")) == DEFAULT_PROGRAM


def test_what_is_wrong_with_a_path_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "it's.yaml"
    path.write_text(USUAL)
    status, out, err = run("generate", "systemd", "--config", str(path))

    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "cannot stand in a unit of systemd: use another path" in err


def test_the_copies_of_the_examples_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_templates.py"), "--check"]

    assert subprocess.run(command, timeout=60, check=False).returncode == 0, "run `make docs`"
