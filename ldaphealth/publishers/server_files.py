"""Files of each server below one directory: written when they are due, removed with their server.

verdict_file.py and track_file.py say what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ldaphealth.clocks import BootSeconds
from ldaphealth.files.atomic_file import write
from ldaphealth.model import Verdict
from ldaphealth.publishers.publication import Publication

# What the files of one server hold, by the end of their names; it takes until when that is so.
Contents = Callable[[Verdict, BootSeconds], Mapping[str, str]]


def path_of(directory: Path, server: str) -> Path:
    """Return where the files of a server ID are; config/ lets no name lead elsewhere."""
    return directory / server


class ServerFiles:
    """The files below one directory; servers that are looked at no more lose theirs."""

    def __init__(self, directory: Path, contents: Contents) -> None:
        self._directory, self._contents = directory, contents
        self._written: dict[str, dict[str, tuple[str, ...]]] = {}  # ends by server, by cluster

    def publish(self, decided: Publication) -> None:
        """Write the files that are due; the first OSError, after all that could be written."""
        first: OSError | None = None
        written = self._written.setdefault(decided.cluster, {})
        for server, valid_until in decided.due.items():
            contents = self._contents(decided.verdicts[server], valid_until)
            written[server] = tuple(contents)
            path = path_of(self._directory, server)
            try:
                _make_readable(path.parent)
                for end, text in contents.items():
                    write(path.with_name(path.name + end), text.encode())
            except OSError as error:  # the servers behind it are not to blame
                first = first or error
        for server in written.keys() - decided.verdicts.keys():
            path = path_of(self._directory, server)
            for end in written.pop(server):
                path.with_name(path.name + end).unlink(missing_ok=True)
        if first is not None:
            raise first

    def close(self) -> None:
        """Leave the files: a restart of the agent says nothing of the servers."""


def _make_readable(directory: Path) -> None:
    """Make the directory of a cluster, for the user of keepalived's script, whatever the umask."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)
