"""Large responses are compressed for clients that accept it, and are the same without it."""

from __future__ import annotations

import gzip
import http.client

import pytest

from ldaphealth.web.compression import LEAST_BYTES, accepts_gzip
from tests.web.listening import HOST, TIMEOUT_SECONDS, Listening, verdict


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),  # Chromium
        ("deflate;q=1.0 , gzip ; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("identity", False),
        ("*", False),  # it may have any, and gets it as it is
        ("x-gzip, notgzip, gzipped", False),
        (",;,q=1,", False),
    ],
)
def test_what_clients_accept(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def ask(port: int, path: str, accept: str, method: str = "GET") -> tuple[dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Accept-Encoding": accept} if accept else {}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status"])
def test_a_large_response_is_compressed_for_who_accepts_it(path: str) -> None:
    with Listening() as listening:
        listening.publish(*(verdict(f"c/{number}") for number in range(20)))
        plain, body = ask(listening.port, path, "")
        small, compressed = ask(listening.port, path, "gzip")
        head, nothing = ask(listening.port, path, "gzip", "HEAD")

    assert "content-encoding" not in plain
    assert small["content-encoding"] == head["content-encoding"] == "gzip"
    assert plain["vary"] == small["vary"] == "Accept-Encoding"
    assert plain["content-type"] == small["content-type"]
    assert int(small["content-length"]) == len(compressed) < len(body) / 2
    assert nothing == b""
    lines = [body.splitlines(), gzip.decompress(compressed).splitlines()]
    assert len(lines[0]) == len(lines[1])
    assert sum(one != other for one, other in zip(*lines, strict=True)) < 5  # the time


@pytest.mark.parametrize(("path", "accept"), [("/live", "gzip"), ("/metrics", "gzip;q=0")])
def test_others_are_not(path: str, accept: str) -> None:
    with Listening() as listening:
        listening.publish(verdict("c/a"))
        headers, body = ask(listening.port, path, accept)

    assert "content-encoding" not in headers
    assert body.decode().endswith("\n")
    assert path != "/metrics" or len(body) > LEAST_BYTES
