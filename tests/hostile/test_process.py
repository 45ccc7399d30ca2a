"""The program as a whole keeps its promises against any server: in time, and small.

test_deadline.py shows the same of one look inside a process; here nothing is left out that a
caller such as keepalived waits for: threads, the second look, the verdict, the end of the process.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile import servers
from tests.hostile.ticket_flood import TicketFlood
from tests.lateness import Stopwatch, repeated_when_late

DEADLINE_SECONDS = 2.0
ALLOWED_SECONDS = DEADLINE_SECONDS + 0.2
ALLOWED_KIB = 64 * 1024
OUT_OF_SERVICE = 1
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """What one run of the program took and told; `late_seconds`: it waited for a CPU."""

    seconds: float
    late_seconds: float
    peak_kib: int
    status: int
    told: str


def check(uri: str, ca_file: str) -> Run:
    """Run `ldaphealth check` on one server."""
    with tempfile.NamedTemporaryFile() as report, Stopwatch() as watch:
        done = subprocess.run(
            [
                sys.executable,
                "-S",
                Path(__file__).with_name("measured.py"),
                report.name,
                sys.executable,
                "-m",
                "ldaphealth",
                "check",
                uri,
                "--ca-file",
                ca_file,
                "--deadline",
                str(DEADLINE_SECONDS),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        measured = json.load(report)
    return Run(**measured, late_seconds=watch.late_seconds, told=done.stdout + done.stderr)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> servers.Authority:
    """Return who issues the certificates of hostile servers: a trusted one can be hostile too."""
    return servers.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def refused() -> Iterator[str]:
    """Return the host and port of nobody: bound, so that no other may listen there."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nobody.getsockname()[1]}"


def assert_in_bounds(hostile: Run, *refused: Run) -> None:
    """Compare with runs that do all the same but meet nobody: the rest is the server's doing."""
    startup_seconds = max(each.seconds - each.late_seconds for each in refused)
    small_kib = min(each.peak_kib for each in refused)
    assert hostile.status == OUT_OF_SERVICE, hostile.told
    in_time = hostile.seconds - hostile.late_seconds < 2 * startup_seconds + ALLOWED_SECONDS
    assert in_time, hostile.told
    assert hostile.peak_kib < small_kib + ALLOWED_KIB, hostile.told


def endless_references(peer: socket.socket) -> None:
    """Answer the bind, then send the smallest messages that a search must skip, for ever."""
    peer.recv(4096)
    peer.sendall(servers.message(1, servers.result(1, 0)))
    peer.recv(4096)
    while True:
        peer.sendall(b"\x30\x06\x02\x02\x00\x02\x73\x00" * 1000)


def endless_bytes(peer: socket.socket) -> None:
    """Send what is nothing at all, for ever, and do not wait to be asked."""
    while True:
        peer.sendall(b"\0" * 65536)


def huge_entry_without_end(peer: socket.socket) -> None:
    """Promise an entry just within bounds, and never finish it."""
    peer.recv(4096)
    peer.sendall(servers.message(1, servers.result(1, 0)))
    peer.recv(4096)
    peer.sendall(servers.message(2, servers.entry(padding=60_000))[:-1])
    servers.silent(peer)


HOSTILE = [
    pytest.param(servers.silent, "no answer within 2 s", id="a silent server"),
    pytest.param(servers.drip, "no answer within 2 s", id="a byte every half second"),
    pytest.param(servers.endless, "exceed", id="entries without end"),
    pytest.param(endless_references, "exceed", id="references without end"),
    pytest.param(huge_entry_without_end, "no answer within 2 s", id="an entry without its end"),
    pytest.param(servers.garbage, "not LDAP", id="another protocol"),
    pytest.param(endless_bytes, "not LDAP", id="zeros without end"),
]


@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "inside TLS"])
@pytest.mark.parametrize(("behave", "words"), HOSTILE)
@repeated_when_late
def test_a_hostile_server_holds_the_program_no_longer_and_makes_it_no_larger(
    behave: servers.Behaviour, words: str, tls: bool, authority: servers.Authority, refused: str
) -> None:
    scheme = "ldaps" if tls else "ldap"
    before = check(f"{scheme}://{refused}", authority.ca_file)
    with servers.listening(behave, authority.context("127.0.0.1") if tls else None) as port:
        hostile = check(f"{scheme}://127.0.0.1:{port}", authority.ca_file)
    after = check(f"{scheme}://{refused}", authority.ca_file)

    assert_in_bounds(hostile, before, after)
    assert words in hostile.told


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(servers.silent, id="a silent server"),
        pytest.param(servers.drip, id="a byte every half second"),
        pytest.param(servers.garbage, id="another protocol"),
        pytest.param(endless_bytes, id="zeros without end"),
    ],
)
@repeated_when_late
def test_a_handshake_that_comes_to_nothing_is_in_bounds_too(
    behave: servers.Behaviour, authority: servers.Authority, refused: str
) -> None:
    before = check(f"ldaps://{refused}", authority.ca_file)
    with servers.listening(behave) as port:
        hostile = check(f"ldaps://127.0.0.1:{port}", authority.ca_file)
    after = check(f"ldaps://{refused}", authority.ca_file)

    assert_in_bounds(hostile, before, after)


def dripping_handshake(peer: socket.socket) -> None:
    """Send the beginning of a ServerHello, one byte every half second (RFC 8446 5.1)."""
    peer.recv(4096)
    for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\0" * 100:
        peer.sendall(bytes([byte]))
        time.sleep(0.5)


@repeated_when_late
def test_a_handshake_that_drips_is_in_bounds_too(
    authority: servers.Authority, refused: str
) -> None:
    before = check(f"ldaps://{refused}", authority.ca_file)
    with servers.listening(dripping_handshake) as port:
        hostile = check(f"ldaps://127.0.0.1:{port}", authority.ca_file)

    assert_in_bounds(hostile, before)
    assert "no answer within 2 s" in hostile.told


# Floods inside TLS. A hang would show as the signal of the backstop, two seconds later.


def hello_requests(peer: socket.socket) -> None:
    """Send HelloRequest for ever, one a record, as TLS 1.2 allows before any certificate.

    A client "MAY ignore" it during a handshake (RFC 5246 7.4.1.1), and OpenSSL does.
    """
    peer.recv(4096)
    while True:
        peer.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 1_000_000)


@repeated_when_late
def test_a_handshake_of_hello_requests_without_end_is_in_bounds_too(
    authority: servers.Authority, refused: str
) -> None:
    before = check(f"ldaps://{refused}", authority.ca_file)
    with servers.listening(hello_requests) as port:
        hostile = check(f"ldaps://127.0.0.1:{port}", authority.ca_file)

    assert_in_bounds(hostile, before)


@repeated_when_late
def test_session_tickets_without_end_are_in_bounds_too(
    authority: servers.Authority, refused: str, tmp_path: Path
) -> None:
    flood = TicketFlood(tmp_path / "keys")
    before = check(f"ldaps://{refused}", authority.ca_file)
    with servers.listening(flood, flood.prepared(authority.context("127.0.0.1"))) as port:
        hostile = check(f"ldaps://127.0.0.1:{port}", authority.ca_file)

    assert_in_bounds(hostile, before)
