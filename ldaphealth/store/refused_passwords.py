"""The refused passwords that short processes remember, so that a loop of them locks no account.

keepalived's script without an agent, and plugins, start a process for each check. The agent has it
in memory (ldap/accounts.py). The file has no password: only salted hashes that tell whether a
password is the one that was refused. It exists while there are refusals only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import DecodeError, Struct, json

from ldaphealth.clocks import BootSeconds
from ldaphealth.files.atomic_file import write
from ldaphealth.files.private_directory import open_private
from ldaphealth.files.regular_file import read_regular_file
from ldaphealth.ldap.accounts import UNKNOWN, AccountState
from ldaphealth.model import Secret, Server

NAME = "refused-passwords"
MAX_BYTES = 1 << 20
MOST_ACCOUNTS = 256
SALT_BYTES = 16
SCRYPT_COST = 1 << 12  # 10 ms, and only while there is a file


Key = tuple[str, str, Secret | None]  # cluster, DN, password


class RefusedPasswords(Struct, frozen=True):
    """The content of the file: what is known of passwords, by their marks with this salt."""

    salt: bytes
    accounts: Mapping[str, AccountState] = {}

    def known(self, key: Key) -> AccountState:
        """Return what is known of a password."""
        return self.accounts.get(self.mark(key), UNKNOWN) if self.accounts else UNKNOWN

    def mark(self, key: Key) -> str:
        """Return a text that differs for another cluster, account or password (RFC 7914)."""
        import hashlib  # noqa: PLC0415  it loads OpenSSL, and few processes need it

        cluster, dn, password = key
        text = json.encode([cluster, dn, password.reveal() if password else ""])
        hashed = hashlib.scrypt(text, salt=self.salt, n=SCRYPT_COST, r=8, p=1, dklen=32)
        return hashed.hex()

    def updated(self, states: Mapping[Key, AccountState]) -> RefusedPasswords:
        """Return what is known after these results."""
        accounts = dict(self.accounts)
        for key, state in states.items():
            if accounts or state.refusals:
                mark = self.mark(key)
                accounts.pop(mark, None)
                if state.refusals:
                    accounts[mark] = state
        newest = dict(list(accounts.items())[-MOST_ACCOUNTS:])
        return RefusedPasswords(self.salt, newest)


def password_of(server: Server) -> Key:
    """Return the password that is used at a server."""
    return server.cluster, server.credentials.dn, server.credentials.password


def load_refusals(directories: tuple[Path, ...], now: BootSeconds) -> RefusedPasswords:
    """Return the content of the first file; nothing without one, or if others could change it.

    What is of another boot is left out.
    """
    for above in directories:
        with contextlib.suppress(OSError, DecodeError):
            if not (above / private_name() / NAME).exists():
                continue
            content = read_regular_file(_directory(above) / NAME, MAX_BYTES)
            found = json.decode(content, type=RefusedPasswords)
            return RefusedPasswords(found.salt, _of_this_boot(found.accounts, now))
    return RefusedPasswords(os.urandom(SALT_BYTES))


def save_refusals(
    directories: tuple[Path, ...], before: RefusedPasswords, states: Mapping[Key, AccountState]
) -> None:
    """Write the file into the first directory that can be used; remove it if nothing is refused.

    Where no directory can be used nothing is remembered.
    """
    after = before.updated(states)
    if after == before:
        return
    for above in directories:
        with contextlib.suppress(OSError):
            path = _directory(above) / NAME
            if after.accounts:
                write(path, json.encode(after), 0o600)
            else:
                path.unlink(missing_ok=True)
            return


def private_name() -> str:
    """Return the name of this user's directory."""
    return f"ldaphealth.{os.geteuid()}"


def _directory(above: Path) -> Path:
    return open_private(above, private_name())


def _of_this_boot(
    accounts: Mapping[str, AccountState], now: BootSeconds
) -> Mapping[str, AccountState]:
    return {
        mark: state
        for mark, state in accounts.items()
        if all(each.at <= now for each in state.refusals) and (state.accepted_at or 0.0) <= now
    }
