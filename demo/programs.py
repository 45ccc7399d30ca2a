"""Finds the programs of this machine that the demo, the tests and bench/ start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# slapd, haproxy and others are in /usr/sbin, which is not on every user's PATH.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
OPENLDAP = "slapd ldap-utils"
APPARMOR_PROFILE = Path("/etc/apparmor.d/usr.sbin.slapd")


def find(name: str, packages: str = OPENLDAP, search_path: str = SEARCH_PATH) -> Path:
    """Return the path of a program; FileNotFoundError names the Debian packages that contain it."""
    found = shutil.which(name, path=search_path)
    if found is None:
        raise FileNotFoundError(f"{name} is missing: run scripts/install-packages {packages}")
    return Path(found)


def fake_clock(seconds: float) -> dict[str, str]:
    """Return the environment of a program whose time of day is so many seconds ahead: faketime(1).

    Only the time of day: slapd's timeouts must stay right. FileNotFoundError names the package.
    """
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise FileNotFoundError("libfaketime is missing: run scripts/install-packages faketime")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+g}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def slapd_for(
    directory: Path, search_path: str = SEARCH_PATH, apparmor_profile: Path = APPARMOR_PROFILE
) -> Path:
    """Return a slapd that may work in `directory`.

    Ubuntu's AppArmor profile is attached to the path /usr/sbin/slapd and confines it to
    /etc/ldap, /var/lib/ldap and the like; a copy elsewhere is not confined (apparmor.d(5)).
    """
    installed = find("slapd", search_path=search_path)
    if not apparmor_profile.exists():
        return installed
    return Path(shutil.copy(installed, directory / "slapd"))
