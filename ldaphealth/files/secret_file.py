"""Reading a password from a file that only its owner and its group can read.

All code that reads credentials uses it.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from ldaphealth.files.credential import passed_file
from ldaphealth.files.permission import refusal_cause
from ldaphealth.model import Secret
from ldaphealth.text.untyped import untyped_words

MAX_BYTES = 4096


class SecretFileError(ValueError):
    """Why a file with a password is not used. `command` corrects it, as words for a shell."""

    def __init__(self, path: Path, what: str, command: tuple[str, ...] = ()) -> None:
        following = f"; {shlex.join(command)}" if command else ""
        super().__init__(f"{path}: {what}{following}")
        self.path, self.command = path, command


def read_secret(path: Path) -> Secret:
    """Return the content without one trailing line end.

    It may be passed by systemd (credential.py). SecretFileError names the file and, for wrong
    permissions, has the command that corrects them.
    """
    path = Path(passed_file(str(path)))
    content = bytearray(MAX_BYTES + 1)
    try:
        return _read_secret(path, memoryview(content))
    finally:
        content[:] = bytes(len(content))  # what is freed is not overwritten


def _read_secret(path: Path, content: memoryview) -> Secret:
    size = 0
    try:
        with path.open("rb", buffering=0) as file:
            mode = os.fstat(file.fileno()).st_mode
            while more := file.readinto(content[size:]):
                size += more
    except OSError as error:
        cause = refusal_cause(path, error)
        next_step = "; write the password to it" if error.errno == errno.ENOENT else ""
        raise SecretFileError(path, f"cannot read the password: {cause}{next_step}") from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise SecretFileError(
            path,
            "others can read or change the password, and at most its group may read it (0640)",
            ("chmod", "0600", str(path)),
        )
    end = size
    for line_end in b"\n\r":
        if end and content[end - 1] == line_end:
            end -= 1
    if not end:
        raise SecretFileError(path, "it is empty; write the password to it")
    if size > MAX_BYTES:
        raise SecretFileError(path, f"it has more than {MAX_BYTES} bytes, so it is no password")
    try:
        password = str(content[:end], "utf-8")
    except UnicodeDecodeError as error:
        raise SecretFileError(path, "the password is not UTF-8") from error
    if wrong := untyped_words(password):
        raise SecretFileError(path, wrong)
    return Secret(password)


def secret_from_variable(variable: str, environment: Mapping[str, str]) -> Secret:
    """Return the password in an environment variable; ValueError if it is not set or empty."""
    if not environment.get(variable):
        raise ValueError(f"the environment variable {variable} is not set, or empty")
    if wrong := untyped_words(environment[variable]):
        raise ValueError(f"the environment variable {variable}: {wrong}")
    return Secret(environment[variable])
