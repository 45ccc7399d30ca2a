"""Files that only root can read, passed by systemd to the user of a service (systemd.exec(5)).

Passwords, and the files of TLS, are read through `passed_file`.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CREDENTIALS_DIRECTORY"


def passed_file(path: str) -> str:
    """Return the copy of the file that LoadCredential= passes, else `path` itself.

    The ID of the credential is the path with `-` in place of `/`, as by systemd-escape --path:
    `LoadCredential=etc-ldaphealth-password:/etc/ldaphealth/password`. A name alone could stand for
    several files, and the wrong password would be sent to a server.
    """
    directory = os.environ.get(VARIABLE)
    if not directory or not path:
        return path
    passed = Path(directory, "-".join(Path(path).absolute().parts[1:]))
    return str(passed) if passed.is_file() else path
