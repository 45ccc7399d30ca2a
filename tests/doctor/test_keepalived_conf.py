"""keepalived.conf is read as far as it concerns the scripts, whatever else is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.doctor.keepalived_conf import MOST_DEPTH, MiscCheck, read_conf

FILE = Path("/etc/keepalived/keepalived.conf")
EXAMPLE = Path(__file__).parents[2] / "keepalived" / "keepalived.conf.example"
CHECK = """\
virtual_server 192.0.2.10 389 {
    delay_loop 5
    real_server 192.0.2.11 389 {
        MISC_CHECK {
            misc_path "/usr/local/libexec/ldaphealth-check --dynamic example/ldap1"
            misc_dynamic
            misc_timeout 12
        }
    }
}
"""


def checks(text: str) -> tuple[MiscCheck, ...]:
    return read_conf(FILE, lambda _: text).checks


def test_the_example_is_understood() -> None:
    found = read_conf(EXAMPLE)

    assert [each.server for each in found.checks] == [f"example/ldap{n}" for n in (1, 2, 3, 4)]
    assert {each.timeout_seconds for each in found.checks} == {12.0}
    assert {each.delay_loop_seconds for each in found.checks} == {5.0}
    assert all(each.is_misc_dynamic and each.has_dynamic_option for each in found.checks)
    assert EXAMPLE.read_text().splitlines()[found.checks[0].line - 1].split() == [
        "misc_timeout",
        "12",
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("misc_timeout 12", "", "timeout_seconds", None),
        ("misc_timeout 12", "", "kills_after_seconds", 5.0),
        ("misc_timeout 12", "misc_timeout 0", "kills_after_seconds", 5.0),
        ("misc_timeout 12", "misc_timeout $LIMIT", "timeout_seconds", None),
        ("misc_timeout 12", "# misc_timeout 12", "timeout_seconds", None),
        ("misc_timeout 12", "misc_timeout 7 # seconds", "timeout_seconds", 7.0),
        ("misc_timeout 12", "misc_timeout 7 ! seconds", "timeout_seconds", 7.0),
        ("misc_timeout 12", "misc_timeout 2.5", "timeout_seconds", 2.5),
        ("delay_loop 5", "", "delay_loop_seconds", 60.0),
        ("misc_dynamic", "", "is_misc_dynamic", False),
        ("--dynamic ", "", "has_dynamic_option", False),
        ("example/ldap1", "", "server", ""),
        ("/usr/local", "/usr/bin/env LDAPHEALTH_SECONDS=20 /opt", "limit_seconds", 20.0),
        ('"/usr', "/usr", "script", "/usr/local/libexec/ldaphealth-check"),
        ("MISC_CHECK {\n", "MISC_CHECK {\n delay_loop 9\n", "delay_loop_seconds", 9.0),
        ("virtual_server", "virtual_server_group g {\n} virtual_server", "timeout_seconds", 12.0),
        ("389 {\n        MISC", "389 { MISC", "timeout_seconds", 12.0),
    ],
)
def test_what_a_check_says(old: str, new: str, field: str, value: object) -> None:
    assert old in CHECK
    (found,) = checks(CHECK.replace(old, new))

    assert getattr(found, field) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}}}}",
        "{" * 10_000,
        'misc_path "',
        "virtual_server {",
        CHECK.replace("ldaphealth-check", "other-check"),
        CHECK.replace("misc_path", "connect_timeout"),
    ],
)
def test_what_is_none_of_our_checks_is_skipped(text: str) -> None:
    assert checks(text) == ()


def test_a_pair_is_known_by_its_vrrp_instance() -> None:
    assert read_conf(FILE, lambda _: "vrrp_instance VI_1 {\n}\n").is_of_pair
    assert not read_conf(FILE, lambda _: CHECK).is_of_pair


def test_included_files_are_read_and_loops_end(tmp_path: Path) -> None:
    top = tmp_path / "keepalived.conf"
    top.write_text("include conf.d/*.conf\ninclude keepalived.conf\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "ldap.conf").write_text(CHECK)
    (tmp_path / "conf.d" / "fifo.conf").symlink_to("/nonexistent")

    found = read_conf(top)

    assert {each.file for each in found.checks} == {str(tmp_path / "conf.d" / "ldap.conf")}
    assert {each.line for each in found.checks} == {7}
    assert "fifo.conf: No such file or directory" in found.problem


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        read_conf(tmp_path / "missing")


@given(st.text(alphabet='{}"#! \n\tmisc_path/ldaphealth-check1$', max_size=400))
def test_any_text_is_read(text: str) -> None:
    for each in checks(text):
        assert each.kills_after_seconds > 0


def test_the_depth_is_bounded() -> None:
    nested = "a {\n" * (MOST_DEPTH + 5) + CHECK

    assert len(checks(nested)) <= 1
