"""slapdcheck of PyPI, in a virtual environment that is thrown away, and what it needs of a server.

`bench/peers.py` measures it. It runs on the host of a slapd as a user who reads all of cn=config by
ldapi, and needs a file with slapd's process ID and a certificate with an RSA key. So the nodes get
these here, and the owner of this process becomes the rootdn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.node import Node
from demo.programs import find
from demo.tree import ROOT_DN

RELEASE = "slapdcheck==3.10.4"
TO_BUILD = "gcc libc6-dev libldap-dev libsasl2-dev openssl"  # Debian packages, for its ldap0
INSTALL_SECONDS = 300.0
RUN_SECONDS = 30.0
WARNING = 1
CERTIFICATE_DAYS = "365"
CONFIGURATION = """\
[slapdcheck]
ldapi_uri = {ldapi}
ldaps_uri = {ldaps}
ldaps_authz_id = dn:{root}
state_file = {state}
"""


class UnavailableError(Exception):
    """It cannot be installed or run here; the text is why, in one line."""


def install(directory: Path) -> Path:
    """Install it below the directory; return the directory of its programs.

    Raises UnavailableError, also after INSTALL_SECONDS for each of two steps.
    """
    _run([sys.executable, "-m", "venv", str(directory)], INSTALL_SECONDS)
    programs = directory / "bin"
    # Without build isolation, which would install the same tools again for each package.
    pip = [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    try:
        _run([*pip, "setuptools", "wheel"], INSTALL_SECONDS)
        _run([*pip, "--no-build-isolation", RELEASE], INSTALL_SECONDS)
    except UnavailableError as error:
        raise UnavailableError(
            f"{error}; it takes PyPI and scripts/install-packages {TO_BUILD}"
        ) from error
    return programs


def command(programs: Path, nodes: Sequence[Node], directory: Path) -> list[str]:
    """Prepare the nodes; return one command that checks all of them, each in its own process.

    UnavailableError if it does not answer, or reports errors of a healthy server.
    """
    program = str(programs / "slapdcheck-json")
    files = [_prepare(node, directory) for node in nodes]
    for file in files:
        items = json.loads(_run([program, str(file)], RUN_SECONDS))
        wrong = [
            f"{name}: {text}" for name, (status, *_, text) in items.items() if status > WARNING
        ]
        if wrong:
            raise UnavailableError(f"it reports of a healthy server: {'; '.join(sorted(wrong))}")
    return ["/bin/sh", "-c", " && ".join(f"{program} {file}" for file in files)]


def _prepare(node: Node, directory: Path) -> Path:
    """Give slapd what slapdcheck reads; return the configuration of slapdcheck for it."""
    own = directory / node.name
    own.mkdir()
    pid_file, certificate, key = own / "pid", own / "certificate.pem", own / "key.pem"
    pid_file.write_text(f"{node.pid}\n")
    made = [str(find("openssl", "openssl")), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    made += ["-days", CERTIFICATE_DAYS, "-subj", "/CN=bench", "-out", str(certificate)]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    _run(made, RUN_SECONDS)
    # No backslash: slapd removes it from a value in quotes.
    user = f"gidNumber=[0-9]+[+]uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
    changes = {
        "olcPidFile": [str(pid_file)],
        "olcTLSCACertificateFile": [str(certificate)],
        "olcTLSCertificateFile": [str(certificate)],
        "olcTLSCertificateKeyFile": [str(key)],
        "olcTLSVerifyClient": ["try"],
        "olcAuthzRegexp": [f'{{0}}"{user}" "{ROOT_DN}"', f'{{1}}"cn=bench" "{ROOT_DN}"'],
    }
    node.root.modify(
        "cn=config",
        "-\n".join(
            f"replace: {name}\n" + "".join(f"{name}: {value}\n" for value in values)
            for name, values in changes.items()
        ),
    )
    file = own / "slapdcheck.cfg"
    file.write_text(
        CONFIGURATION.format(
            ldapi=node.ldapi_uri, ldaps=node.ldaps_uri, root=ROOT_DN, state=own / "state"
        )
    )
    return file


def _run(arguments: Sequence[str], seconds: float) -> str:
    name = Path(arguments[0]).name
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{name} took more than {seconds:g} s") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise UnavailableError(f"{name} failed: {''.join(last)}")
    return done.stdout
