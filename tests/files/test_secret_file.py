"""A password is one line of text; another file is refused with its path and the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.files.secret_file import read_secret, secret_from_variable

ALONE = "write it alone, on one line"


def written(directory: Path, content: bytes) -> Path:
    path = directory / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" two words \n", " two words "),
        ("m\u00b2".encode(), "m\u00b2"),
    ],
)
def test_one_line_is_the_password(tmp_path: Path, content: bytes, text: str) -> None:
    assert read_secret(written(tmp_path, content)).reveal() == text


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"old\nsecret\n", f"the password has 2 lines; {ALONE}"),
        (b"secret\n\n", f"the password has 2 lines; {ALONE}"),
        (b"a\r\nb\r\nc", f"the password has 3 lines; {ALONE}"),
        (b"sec\tret\n", "the password contains a control character, such as a tab"),
        (b"sec\x00ret", "the password contains a control character"),
        (b"\xffsecret", "the password is not UTF-8"),
        (b"\n", "it is empty; write the password to it"),
    ],
)
def test_another_file_is_refused_with_its_path_and_without_the_password(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    path = written(tmp_path, content)

    with pytest.raises(ValueError, match="password") as caught:
        read_secret(path)

    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert cause in message
    assert "ret" not in message
    assert "\n" not in message


def test_a_variable_is_checked_as_well() -> None:
    with pytest.raises(ValueError, match="PROBE: the password has 2 lines"):
        secret_from_variable("PROBE", {"PROBE": "a\nb"})
