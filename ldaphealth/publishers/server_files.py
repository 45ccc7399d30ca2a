"""Files for each server below one directory: written when due, removed with their server.

verdict_file.py and track_file.py define their contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ldaphealth.clocks import BootSeconds
from ldaphealth.files.atomic_file import write
from ldaphealth.files.own_directory import make_directory
from ldaphealth.model import Verdict
from ldaphealth.publishers.publication import Publication

# Returns the contents of the files of one server by the suffix of their names. Its arguments are
# the verdict and the time until which it is valid.
Contents = Callable[[Verdict, BootSeconds], Mapping[str, str]]


def path_of(directory: Path, server: str) -> Path:
    """Return the path of a server's files, without suffix. config/ refuses names such as `..`."""
    return directory / server


def _write(path: Path, content: bytes) -> None:
    try:
        write(path, content)
    except FileNotFoundError:  # the first one of the cluster, or another program removed it
        make_directory(path.parent)  # readable for keepalived
        write(path, content)


class ServerFiles:
    """The files below one directory. Those of servers that were removed are deleted."""

    def __init__(self, directory: Path, contents: Contents) -> None:
        self._directory, self._contents = directory, contents
        self._written: dict[str, dict[str, dict[str, Path]]] = {}  # by cluster, server, suffix

    def publish(self, decided: Publication) -> None:
        """Write the files that are due. The first OSError is raised after all were tried."""
        first: OSError | None = None
        written = self._written.setdefault(decided.cluster, {})
        for server, valid_until in decided.due.items():
            contents = self._contents(decided.verdicts[server], valid_until)
            if server not in written:
                path = path_of(self._directory, server)
                written[server] = {each: path.with_name(path.name + each) for each in contents}
            try:
                for suffix, text in contents.items():
                    _write(written[server][suffix], text.encode())
            except OSError as error:  # the files of the other servers are still written
                first = first or error
        for server in written.keys() - decided.verdicts.keys():
            for path in written.pop(server).values():
                path.unlink(missing_ok=True)
        if first is not None:
            raise first

    def close(self) -> None:
        """Keep the files: a restart of the agent does not change the state of the servers."""
