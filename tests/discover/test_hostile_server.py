"""A server that answers with what no server should: the configuration is still one that loads."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ldaphealth.config import load
from tests.cli.test_main import run
from tests.hostile.servers import listening, message, result

BIND, SEARCH, EXTENDED = 0x60, 0x63, 0x77
HOSTILE = "dc=x\n#\nagent: {track_files: true}\n"
Attributes = Mapping[str, list[str]]


def element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def found(dn: str, attributes: Attributes) -> bytes:
    """Return a SearchResultEntry."""
    pairs = b"".join(
        element(
            0x30,
            element(0x04, name.encode())
            + element(0x31, b"".join(element(0x04, value.encode()) for value in values)),
        )
        for name, values in attributes.items()
    )
    return element(0x64, element(0x04, dn.encode()) + element(0x30, pairs))


def serving(directory: Mapping[str, Attributes]) -> Callable[[socket.socket], None]:
    """Answer binds, refuse StartTLS, and find these entries in searches with their base."""

    def behave(peer: socket.socket) -> None:
        while request := peer.recv(65536):
            at = 2 + (request[1] & 0x7F if request[1] & 0x80 else 0)
            number = int.from_bytes(request[at + 2 : at + 4], "big")
            operation = request[at + 4 :]
            if operation[0] == EXTENDED:
                peer.sendall(message(number, result(24, 2)))
            elif operation[0] == BIND:
                peer.sendall(message(number, result(1, 0)))
            elif operation[0] == SEARCH:
                entry = next((dn for dn in directory if dn and dn.encode() in operation), "")
                body = message(number, found(entry, directory[entry]))
                peer.sendall(body + message(number, result(5, 0)))
            else:
                return

    return behave


ROOT_DSE = {
    "namingContexts": [HOSTILE, "dc=good", "dc=\x1b[31mred", "not a dn", "dc=" + "y" * 5000],
    "defaultNamingContext": [HOSTILE],
    "vendorName": ["Evil\nclusters: {}\u2028x"],
    "vendorVersion": ["\x07" * 50],
    "supportedControl": ["1.2.3\n"] * 1000,
    "configContext": ["cn=config"],
    "monitorContext": ["cn=Monitor"],
}
CONFIG = {
    "objectClass": ["olcGlobal"],
    "olcServerID": ["1\nevil: yes"] * 500,
    "olcSuffix": ["dc=good"],
    "entryUUID": ["\x00"],
    "olcSyncrepl": [
        'rid=1 provider="ldap://x\n- y" credentials=s3cret',
        "provider=ldap://127.0.0.1:9 searchbase=\"dc=good\" credentials='s3cret' type=refreshOnly",
        '"' * 100,
    ],
}
GOOD = {"objectClass": ["top"], "contextCSN": ["evil\n: {", "20260101000000.000000Z#0#\x1b#1"]}


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_text_of_a_server_leaves_its_line(form: str, tmp_path: Path) -> None:
    directory = {"": ROOT_DSE, "cn=config": CONFIG, "dc=good": GOOD}
    path = tmp_path / "a.yaml"
    with listening(serving(directory)) as port:
        status, out, err = run(
            *("discover", f"ldap://127.0.0.1:{port}", "--no-dns", "--measure", "0"),
            *("--format", form),
        )

    assert status == 0, err
    assert "s3cret" not in out
    assert not re.search(r"^\s*(agent|evil|- y)", out, re.MULTILINE)
    assert "\x1b" not in out
    if form == "text":
        path.write_text(out)
        (cluster,) = load(path).clusters.values()
        assert [each.suffix for each in cluster.servers] == ["dc=good"]
        assert "# ldap://127.0.0.1:9: olcSyncrepl of" in out


@pytest.mark.parametrize(
    ("options", "suffix"), [([], ""), (["--base", "dc=good"], "dc=good")], ids=["nothing", "--base"]
)
def test_a_server_that_hides_its_root_dse(options: list[str], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with listening(serving({"": {"objectClass": ["top"]}, "dc=good": GOOD})) as port:
        status, out, err = run(
            *("discover", f"ldap://127.0.0.1:{port}", "--no-dns", "--measure", "1s"), *options
        )

    assert status == 0, err
    path.write_text(out)
    (cluster,) = load(path).clusters.values()
    assert cluster.servers[0].suffix == suffix
    assert ("the root DSE shows none" in out) is not bool(options)
