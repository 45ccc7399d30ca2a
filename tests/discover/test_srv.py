"""SRV records: by a small DNS server on loopback, in time, and for the domain alone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.resolver
import dns.rrset
import pytest

from ldaphealth.discover.srv import answer_of, domains_of, srv_records

NAME = "_ldap._tcp.example.com"


@contextmanager
def name_server(*records: str, is_silent: bool = False) -> Iterator[dns.resolver.Resolver]:
    """Serve one answer by UDP, and yield a resolver that queries there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10.0)

        def answer() -> None:
            try:
                query, peer = sock.recvfrom(4096)
            except OSError:
                return
            if is_silent:
                return
            reply = dns.message.make_response(dns.message.from_wire(query))
            reply.flags |= dns.flags.RA
            if records:
                reply.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", "SRV", *records))
            sock.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], sock.getsockname()[1]
        yield resolver


def test_servers_by_priority() -> None:
    records = ("20 0 389 ldap3.example.com.", "10 5 1389 ldap2.example.com.")
    with name_server(*records, "10 50 636 ldap1.example.com.") as resolver:
        answer = srv_records("example.com", 5.0, resolver)

    assert answer.uris == (
        "ldaps://ldap1.example.com",
        "ldap://ldap2.example.com:1389",
        "ldap://ldap3.example.com",
    )
    assert not answer.why


def test_a_server_of_another_domain_gets_no_password() -> None:
    records = [("ldap1.example.com.", 389), ("ldap.evil.example.", 389), ("notexample.com.", 389)]

    answer = answer_of("example.com", NAME, records)

    assert answer.uris == ("ldap://ldap1.example.com",)
    assert answer.outside == ("ldap://ldap.evil.example", "ldap://notexample.com")


@pytest.mark.parametrize("target", [".", "a b.example.com.", "x" * 300 + ".example.com.", "\x1b."])
def test_odd_targets_are_left_out(target: str) -> None:
    answer = answer_of("example.com", NAME, [(target, 389)])

    assert answer.uris == answer.outside == ()
    assert answer.why


def test_no_record_is_explained() -> None:
    with name_server() as resolver:
        answer = srv_records("example.com", 5.0, resolver)

    assert answer.uris == ()
    assert "does not contain an answer" in answer.why


def test_a_name_server_that_is_silent_is_waited_for_until_the_deadline() -> None:
    began = time.monotonic()
    with name_server(is_silent=True) as resolver:
        answer = srv_records("example.com", 0.5, resolver)

    assert time.monotonic() - began < 3.0
    assert answer.uris == ()
    assert answer.why


def test_the_domains_of_naming_contexts() -> None:
    bases = ["dc=Example,dc=com", "ou=x,dc=example,dc=com", "o=example", "dc=a b", "DC=x , DC=y"]

    assert domains_of([*bases, "dc=example,dc=com"]) == ("example.com", "x.y")
