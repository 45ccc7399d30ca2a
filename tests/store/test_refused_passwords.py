"""Short processes remember what was refused, and nothing of the password."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.ldap.accounts import UNKNOWN, AccountState, Refusal
from ldaphealth.model import Failure, FailureKind, Secret
from ldaphealth.store.refused_passwords import NAME, Key, load_refusals, private_name, save_refusals

FAILURE = Failure(FailureKind.BIND, "refused", "invalidCredentials", answered=True)
STATE = AccountState(
    50.0, (Refusal(server="c/ldap1", at=100.0, retry_at=160.0, failure=FAILURE, times=2),)
)
KEY: Key = ("c", "cn=probe", Secret("correct horse"))
NOW = 120.0


def remember(directory: Path, states: dict[Key, AccountState]) -> None:
    save_refusals((directory,), load_refusals((directory,), NOW), states)


def file_in(directory: Path) -> Path:
    return directory / private_name() / NAME


def test_what_was_refused_is_known_to_the_next_process(tmp_path: Path) -> None:
    remember(tmp_path, {KEY: STATE})

    assert load_refusals((tmp_path,), NOW).known(KEY) == STATE


@pytest.mark.parametrize(
    "other",
    [
        ("d", "cn=probe", Secret("correct horse")),
        ("c", "cn=other", Secret("correct horse")),
        ("c", "cn=probe", Secret("correct horses")),
        ("c", "cn=probe", None),
    ],
)
def test_nothing_is_known_of_another_password(tmp_path: Path, other: Key) -> None:
    remember(tmp_path, {KEY: STATE})

    assert load_refusals((tmp_path,), NOW).known(other) == UNKNOWN


def test_the_file_has_no_password_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    remember(tmp_path, {KEY: STATE})
    file = file_in(tmp_path)

    assert b"correct" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_without_a_refusal_there_is_no_file(tmp_path: Path) -> None:
    remember(tmp_path, {KEY: AccountState(100.0)})
    assert [*tmp_path.iterdir()] == []

    remember(tmp_path, {KEY: STATE})
    remember(tmp_path, {KEY: AccountState(110.0)})
    assert not file_in(tmp_path).exists()


def test_other_accounts_stay_in_the_file(tmp_path: Path) -> None:
    other: Key = ("c", "cn=other", Secret("x"))
    remember(tmp_path, {KEY: STATE})
    remember(tmp_path, {other: STATE})
    remember(tmp_path, {other: AccountState(110.0)})

    assert load_refusals((tmp_path,), NOW).known(KEY) == STATE


def test_what_is_of_another_boot_is_not_known(tmp_path: Path) -> None:
    remember(tmp_path, {KEY: STATE})

    assert load_refusals((tmp_path,), 20.0).known(KEY) == UNKNOWN


@pytest.mark.parametrize("content", [b"", b"{", b'{"salt": 3}', b"[]", b"\xff" * 100])
def test_a_damaged_file_is_no_file(tmp_path: Path, content: bytes) -> None:
    remember(tmp_path, {KEY: STATE})
    file_in(tmp_path).write_bytes(content)

    assert load_refusals((tmp_path,), NOW).known(KEY) == UNKNOWN
    remember(tmp_path, {KEY: STATE})
    assert load_refusals((tmp_path,), NOW).known(KEY) == STATE


def test_a_directory_that_others_may_use_is_not_used(tmp_path: Path) -> None:
    remember(tmp_path, {KEY: STATE})
    file_in(tmp_path).parent.chmod(0o777)

    assert load_refusals((tmp_path,), NOW).known(KEY) == UNKNOWN


def test_the_first_directory_that_can_be_used_is_used(tmp_path: Path) -> None:
    save_refusals((tmp_path / "missing", tmp_path), load_refusals((), NOW), {KEY: STATE})

    assert load_refusals((tmp_path / "missing", tmp_path), NOW).known(KEY) == STATE


def test_without_a_directory_nothing_is_remembered() -> None:
    save_refusals((), load_refusals((), NOW), {KEY: STATE})
