"""The options of `ldaphealth discover`, and its errors: one line with the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main import run
from tests.hostile.servers import garbage, listening

GONE = "ldap://127.0.0.1:9"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["http://h"], "not an LDAP URL"),
        ([GONE, "--bind-dn", "cn=x"], "must be given together"),
        ([GONE, "--ca-file", "/nonexistent"], "no such file"),
        ([GONE, "--start-tls", "--cleartext"], "exclude each other"),
        (["ldaps://h", "--start-tls"], "--start-tls is for ldap://"),
        ([GONE, "--cluster", "-x"], "--cluster '-x'"),
        ([GONE, "--domain", "a b"], "not a DNS name"),
        ([GONE, "--base", "people"], "not a DN"),
        ([GONE, "--measure", "soon"], "is not a duration, such as 45s"),
        ([GONE, "--measure", "2000m"], "is not in the range 0 s to 1 h"),
        ([GONE, "--output", "/nonexistent/a.yaml"], "its directory does not exist"),
        ([GONE, "--no-dns"], "no server could be read: ldap://127.0.0.1:9: "),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], words: str) -> None:
    status, out, err = run("discover", *arguments)

    assert (status, out) == (3, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_a_server_that_speaks_no_ldap_is_one_line() -> None:
    with listening(garbage) as port:
        status, out, err = run("discover", f"ldap://127.0.0.1:{port}", "--no-dns")

    assert (status, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("ldaphealth: no server could be read: ")


def test_a_link_is_not_followed_by_the_output(tmp_path: Path) -> None:
    link = tmp_path / "a.yaml"
    link.symlink_to(tmp_path / "elsewhere")

    status, _, err = run("discover", GONE, "--output", str(link))

    assert status == 3
    assert "exists" in err
