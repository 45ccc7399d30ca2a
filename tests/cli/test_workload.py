"""`ldaphealth workload`: from log files and standard input to a file for review."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_main import run

LOG = """\
conn=1000 op=0 BIND dn="cn=app,dc=example,dc=org" method=128
conn=1000 op=0 RESULT tag=97 err=0 qtime=0.000008 etime=0.000105 text=
conn=1000 op=1 SRCH base="dc=example,dc=org" scope=2 deref=0 filter="(uid=anna)"
conn=1000 op=1 SRCH attr=cn mail
conn=1000 op=1 SEARCH RESULT tag=101 err=0 qtime=0.000008 etime=0.000140 nentries=1 text=
conn=1000 op=2 MOD dn="uid=anna,dc=example,dc=org"
conn=1000 op=2 RESULT tag=103 err=0 qtime=0.000008 etime=0.000140 text=
"""


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "slapd.log"
    path.write_text(LOG * 20)
    return str(path)


def learn(*arguments: str, output: Path) -> tuple[int, str, str]:
    return run("workload", "learn", *arguments, "--output", str(output))


def test_a_log_becomes_a_file_that_only_its_owner_reads(log: str, tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    status, out, err = learn(log, output=output)

    assert (status, err) == (0, "")
    assert "(uid={uid}) cn mail" in out
    assert re.search(r"^modify +20$", out, re.MULTILINE)
    assert f"wrote {output}" in out
    assert output.stat().st_mode & 0o777 == 0o600
    assert "anna" not in output.read_text()


def test_a_workload_is_checked_and_shown(log: str, tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    _, learnt, _ = learn(log, output=output)
    status, out, _ = run("workload", "show", str(output))

    assert status == 0
    assert learnt.startswith(out.rstrip("\n"))
    output.write_text(output.read_text().replace("operation: search", "operation: delete"))
    status, out, err = run("workload", "show", str(output))
    assert (status, out) == (3, "")
    assert f"{output}: line " in err
    assert "operation: must be one of search, compare, not 'delete'" in err


def test_json_has_what_the_file_has(log: str, tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    _, learnt, _ = run("workload", "learn", log, "--output", str(output), "--format", "json")
    _, shown, _ = run("workload", "show", str(output), "--format", "json")

    assert json.loads(learnt) == json.loads(shown)
    assert json.loads(learnt)["shapes"][0]["results"] == {"0": 20}


def test_values_are_kept_on_request(log: str, tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    learn(log, "--keep-values", output=output)

    assert "uid: {values: [anna]}" in output.read_text()


def test_rotated_and_compressed_files_are_one_log(tmp_path: Path) -> None:
    """An operation that began before the rotation ends after it."""
    at = LOG.index("conn=1000 op=1 SEARCH")
    begun, ended = LOG[:at], LOG[at:]
    new, old = tmp_path / "slapd.log", tmp_path / "slapd.log.1.gz"
    new.write_text(ended + LOG * 9)
    old.write_bytes(gzip.compress(begun.encode()))
    os.utime(old, (0, 0))
    output = tmp_path / "workload.yaml"

    status, _, err = learn(str(new), str(old), output=output)

    assert (status, err) == (0, "")
    assert "count: 10" in output.read_text()


def test_a_damaged_file_is_named_and_what_stands_before_is_read(tmp_path: Path) -> None:
    log, output = tmp_path / "slapd.log.gz", tmp_path / "workload.yaml"
    log.write_bytes(gzip.compress((LOG * 20).encode() + os.urandom(1 << 17))[:-20_000])
    status, _, err = learn(str(log), output=output)

    assert status == 0
    assert err.startswith(f"ldaphealth: {log}: ")
    assert err.endswith("; what stands before was read\n")
    assert "count: 20" in output.read_text()


def test_standard_input_is_read(tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    command = [
        sys.executable,
        "-m",
        "ldaphealth",
        "workload",
        "learn",
        "-",
        "--output",
        str(output),
    ]
    done = subprocess.run(
        command, input=LOG * 20, text=True, capture_output=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "count: 20" in output.read_text()


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        pytest.param("slapd starting\n", (), "loglevel stats", id="no operation"),
        pytest.param(
            LOG, (), "no shape has 10 operations; the sources have 1 ", id="only rare shapes"
        ),
        pytest.param(LOG, ("ldap://",), "has no host", id="a wrong URL"),
        pytest.param(LOG, ("ldap://h", "--bind-dn", "cn=x"), "given together", id="no password"),
    ],
)
def test_without_a_result_no_file_is_written(
    content: str, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    log, output = tmp_path / "log", tmp_path / "workload.yaml"
    log.write_text(content)
    status, out, err = learn(str(log), *arguments, output=output)

    assert (status, out) == (3, "")
    assert words in err
    assert not output.exists()


def test_a_file_is_not_overwritten(log: str, tmp_path: Path) -> None:
    output = tmp_path / "workload.yaml"
    output.write_text("reviewed")
    status, _, err = learn(log, output=output)

    assert status == 3
    assert f"{output} exists; move it away" in err
    assert output.read_text() == "reviewed"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    status, _, err = learn(str(tmp_path / "none"), output=tmp_path / "workload.yaml")

    assert (status, err) == (3, f"ldaphealth: {tmp_path}/none: No such file or directory\n")
