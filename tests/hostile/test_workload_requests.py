"""What a log of clients makes the agent send: searches and compares, and nothing that changes."""

from __future__ import annotations

import socket
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.checks.workload import Params
from ldaphealth.checks.workload_survey import do_one_draw
from ldaphealth.ldap import ber, codec
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.read_only import ReadOnlySession
from ldaphealth.ldap.session import open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from ldaphealth.survey import SurveyContext
from tests.hostile.servers import Behaviour, listening, message, result
from tests.workload.logs import SUFFIX, learnt, lines_of, search

BIND, UNBIND, SEARCH, COMPARE = 0x60, 0x42, 0x63, 0x6E
ANSWERS = {BIND: result(1, 0), SEARCH: result(5, 0), COMPARE: result(15, 6)}
DN = f"uid=a,{SUFFIX}"
WRITES = [
    (f'ADD dn="{DN}"', "RESULT tag=105 err=0 text="),
    (f'DEL dn="{DN}"', "RESULT tag=107 err=0 text="),
    (f'MOD dn="{DN}"\nMOD attr=sn', "RESULT tag=103 err=0 text="),
    (f'MODRDN dn="{DN}"', "RESULT tag=109 err=0 text="),
    ('PASSMOD id="x" new', "RESULT oid= err=0 text="),
    ("EXT oid=1.3.6.1.4.1.4203.1.11.1", "RESULT oid= err=0 text="),
    ("EXT oid=1.3.6.1.1.21.1", "RESULT oid= err=0 text="),
    (f'BIND dn="{DN}" method=128', "RESULT tag=97 err=0 text="),
]
READS = [
    search(SUFFIX, "(uid=a)", "cn"),
    search(SUFFIX, "(&(uid=a)(!(sn=b)))", scope=3),
    (f'CMP dn="{DN}" attr="mail"', "RESULT tag=111 err=6 text="),
]


def recording(received: Counter[int]) -> Behaviour:
    """Return a server that counts requests by their identifier octets, and accepts all."""

    def behave(peer: socket.socket) -> None:
        buffer = b""
        while chunk := peer.recv(65536):
            buffer += chunk
            while len(buffer) > 1 and len(buffer) >= (size := _size(buffer)):
                request, buffer = buffer[:size], buffer[size:]
                ((_, start, stop),) = ber.elements(request)
                number, operation, *_ = ber.elements(request[start:stop])
                received[operation[0]] += 1
                message_id = ber.decode_integer(request[start:stop], number)
                if answer := ANSWERS.get(operation[0]):
                    peer.sendall(message(message_id, answer))

    return behave


def _size(buffer: bytes) -> int:
    """Return the size of the element at the begin, with its header."""
    if buffer[1] < 0x80:
        return 2 + buffer[1]
    octets = buffer[1] & 0x7F
    return 2 + octets + int.from_bytes(buffer[2 : 2 + octets], "big")


def test_no_kind_of_write_in_a_log_leaves_as_a_request() -> None:
    workload = learnt(lines_of([*WRITES, *READS] * 10), keep_values=True)
    workload = replace(
        workload,
        sources={
            name: replace(each, values=each.values or ("x",), attribute="", base="", dn="")
            for name, each in workload.sources.items()
        },
    )
    file = workload.in_file(Path("/w.yaml"))
    received: Counter[int] = Counter()
    account = Credentials(BindMethod.SIMPLE, "cn=a", Secret("p"))
    kept = None
    with listening(recording(received)) as port:
        server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}", credentials=account)
        for number in range(20):
            surveyed = do_one_draw(
                SurveyContext(
                    servers=(server,),
                    params=Params(file=file, operations=20),
                    deadline=Deadline.after(10.0),
                    kept=kept,
                    open_session=open_session,
                    wait=lambda _: False,
                ),
                partial(float, 5 * number),
            )
            kept = surveyed.kept
            assert len(surveyed.found["c/s"].facts.done) == 20

    assert set(received) == {BIND, SEARCH, COMPARE, UNBIND}
    assert received[SEARCH] + received[COMPARE] == 400


@pytest.mark.parametrize(
    "request_",
    [
        codec.modify_request("cn=a", "sn", "x"),
        codec.add_request("cn=a", {"sn": ["x"]}),
        codec.start_tls_request(),
        codec.bind_request(Credentials()),
        b"\x4a\x04cn=a",
    ],
    ids=["modify", "add", "extended", "bind", "delete"],
)
def test_a_read_only_session_sends_nothing_else(request_: bytes) -> None:
    sent: list[object] = []

    def exchange(*given: object) -> tuple[codec.Result, codec.Controls]:
        sent.append(given)
        return codec.Result(0, ""), {}

    session = ReadOnlySession(lambda *_: request_, exchange, lambda: 0.0)

    with pytest.raises(SessionError, match="neither a search nor a compare"):
        session.search("", "base", "(cn=a)", (), 0)
    with pytest.raises(SessionError, match="neither a search nor a compare"):
        session.compare("", "cn", "a")
    assert sent == []
