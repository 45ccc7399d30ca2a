"""Reading a password from a file that only its owner and its group can read.

All code that reads credentials uses it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ldaphealth.files.credential import passed_file
from ldaphealth.files.permission import refusal_cause
from ldaphealth.model import Secret
from ldaphealth.text.untyped import untyped_words

MAX_BYTES = 4096


def read_secret(path: Path) -> Secret:
    """Return the content without one trailing line end.

    It may be passed by systemd (credential.py). ValueError names the file and, for wrong
    permissions, the correction.
    """
    path = Path(passed_file(str(path)))
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(
            f"{path}: cannot read the password: {refusal_cause(path, error)}"
        ) from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ValueError(
            f"{path}: others can read or change the password, and at most its group may read it "
            f"(0640); chmod 0600 {path}"
        )
    text = content.removesuffix(b"\n").removesuffix(b"\r")
    if not text or len(content) > MAX_BYTES:
        raise ValueError(f"{path}: no password, or more than {MAX_BYTES} bytes")
    try:
        password = text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: the password is not UTF-8") from error
    if wrong := untyped_words(password):
        raise ValueError(f"{path}: {wrong}")
    return Secret(password)


def secret_from_variable(variable: str, environment: Mapping[str, str]) -> Secret:
    """Return the password in an environment variable; ValueError if it is not set or empty."""
    if not environment.get(variable):
        raise ValueError(f"the environment variable {variable} is not set, or empty")
    if wrong := untyped_words(environment[variable]):
        raise ValueError(f"the environment variable {variable}: {wrong}")
    return Secret(environment[variable])
