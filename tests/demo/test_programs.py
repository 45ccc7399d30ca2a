"""Programs are found, or their absence is one clear line; a confined slapd is not used in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.programs import find, slapd_for


def test_a_missing_slapd_is_one_line_that_names_the_debian_packages(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        find("slapd", search_path=str(tmp_path))

    assert str(raised.value) == ("slapd is missing: run scripts/install-packages slapd ldap-utils")


@pytest.mark.parametrize(
    ("confined", "directory"),
    [
        pytest.param(True, "work", id="is copied where AppArmor confines the installed one"),
        pytest.param(False, "bin", id="runs in place where it is not confined"),
    ],
)
def test_slapd(tmp_path: Path, confined: bool, directory: str) -> None:
    for name in ("bin", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin" / "slapd").touch(mode=0o755)
    profile = tmp_path / "usr.sbin.slapd"
    if confined:
        profile.touch()

    found = slapd_for(tmp_path / "work", str(tmp_path / "bin"), profile)

    assert found == tmp_path / directory / "slapd"
    assert found.stat().st_mode & 0o111
