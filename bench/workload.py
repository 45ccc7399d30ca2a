"""Time and memory of learning from a real log of a million operations, and what is learnt.

slapd makes the log from a load of this program; `make bench-workload` runs it (about five minutes).
`python -m bench.workload 100000` is shorter.
"""

from __future__ import annotations

import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from demo.logging_slapd import SUFFIX, LoggingSlapd
from ldaphealth.config.workload_file import load_workload
from ldaphealth.ldap import ber, codec
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.workload.shape import Workload

OPERATIONS = 1_000_000
PEOPLE = 5000
CONNECTIONS = 8
IN_FLIGHT = 50  # operations on a connection
SECONDS = 60.0  # within which a million must be learnt
MEBIBYTES = 100.0
VALUES = re.compile(rb"p\d+-(?:u1d|N|surname|team)|p\d+@m4il")
NUMBERED = re.compile(r"-\d+\}")  # the same attribute below another base
FINAL = (codec.DONE, codec.COMPARE, codec.MODIFY)

Request = Callable[[str], bytes]


def person(name: str) -> str:
    return f"uid={name}-u1d,ou=people,{SUFFIX}"


LOAD: dict[str, tuple[int, Request]] = {  # by filter, or kind: the weight, and the request
    "(&(objectClass=inetOrgPerson)(uid={uid}))": (
        450,
        lambda p: codec.search_request(
            SUFFIX, "sub", f"(&(objectClass=inetOrgPerson)(uid={p}-u1d))", ("cn", "mail"), 0
        ),
    ),
    "(objectClass=*)": (
        300,
        lambda p: codec.search_request(person(p), "base", "(objectClass=*)", (), 0),
    ),
    "(member={member})": (
        120,
        lambda p: codec.search_request(
            f"ou=groups,{SUFFIX}", "one", f"(member={person(p)})", ("cn",), 0
        ),
    ),
    "(|(mail={mail})(uid={uid}))": (
        60,
        lambda p: codec.search_request(
            f"ou=people,{SUFFIX}", "sub", f"(|(mail={p}@m4il.example)(uid={p}-u1d))", ("*", "+"), 0
        ),
    ),
    "compare": (50, lambda p: codec.compare_request(person(p), "sn", f"{p}-surname")),
    "modify": (20, lambda p: codec.modify_request(person(p), "sn", f"{p}-surname")),
}


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS
    with tempfile.TemporaryDirectory(prefix="ldaphealth-bench") as name:
        directory = Path(name)
        with LoggingSlapd(directory, PEOPLE, accesslog=False) as slapd:
            began = time.monotonic()
            truth = load(slapd.url, operations)
            print(f"slapd served {operations:,} operations in {time.monotonic() - began:.0f} s")
        log, output = slapd.log, directory / "workload.yaml"
        seconds, cpu_seconds, mebibytes = learn(log, output)
        print(f"log                    {log.stat().st_size / 2**20:9.0f} MiB")
        print(f"learnt in              {seconds:9.1f} s, {cpu_seconds:.1f} s of CPU")
        print(f"largest memory         {mebibytes:9.0f} MiB")
        print(f"largest error of share {100 * worst_share(load_workload(output), truth):9.3f} %")
        leaked = len(set(VALUES.findall(output.read_bytes())))
        print(f"values in the file     {leaked:9d} of {len(values_in(log))} in the log")
        in_bounds = seconds < SECONDS * operations / OPERATIONS and mebibytes < MEBIBYTES
        sys.exit(int(leaked > 0 or (operations == OPERATIONS and not in_bounds)))


def load(url: str, operations: int) -> Counter[str]:
    """Do the operations on several connections; return how many there were of each kind."""
    generator, done = random.Random(1), Counter[str]()  # noqa: S311
    kinds, weights = [*LOAD], [weight for weight, _ in LOAD.values()]
    endpoint = parse_uri(url)
    connections = [
        socket.create_connection((endpoint.host, endpoint.port), 10) for _ in range(CONNECTIONS)
    ]
    while done.total() < operations:
        waiting: list[tuple[socket.socket, int]] = []
        for connection in connections:
            count = min(IN_FLIGHT, operations - done.total())
            chosen = generator.choices(kinds, weights, k=count)
            done.update(chosen)
            requests = (LOAD[kind][1](f"p{generator.randrange(PEOPLE)}") for kind in chosen)
            connection.sendall(b"".join(map(envelope, range(1, count + 1), requests)))
            waiting.append((connection, count))
        for connection, count in waiting:
            receive(connection, count)
    for connection in connections:
        connection.close()
    return done


def envelope(message_id: int, request: bytes) -> bytes:
    """Wrap a request into an LDAPMessage (RFC 4511 4.1.1)."""
    return ber.element(ber.SEQUENCE, b"\x02\x01" + bytes((message_id,)) + request)


def receive(connection: socket.socket, count: int) -> None:
    """Wait for so many final responses."""
    buffer = b""
    while count:
        chunk = connection.recv(1 << 18)
        if not chunk:
            raise ConnectionError("slapd closed the connection")
        buffer += chunk
        at = 0
        while (end := message_end(buffer, at)) is not None:
            count -= codec.response(buffer[at:end]).tag in FINAL
            at = end
        buffer = buffer[at:]


def message_end(buffer: bytes, at: int) -> int | None:
    """Return where the message that begins there ends; None if it is not whole."""
    if len(buffer) < at + 2:
        return None
    length, head = buffer[at + 1], 2
    if length & 0x80:
        head += length & 0x7F
        length = int.from_bytes(buffer[at + 2 : at + head], "big")
    return at + head + length if len(buffer) >= at + head + length else None


def learn(log: Path, output: Path) -> tuple[float, float, float]:
    """Run the command; return its seconds, those of CPU, and its largest memory in MiB."""
    command = (sys.executable, "-m", "ldaphealth", "workload", "learn", log, "--output", output)
    began, most, cpu_seconds = time.monotonic(), 0, 0.0
    with subprocess.Popen(command) as program:
        process = psutil.Process(program.pid)
        while program.poll() is None:
            with process.oneshot():
                most = max(most, process.memory_info().rss)
                cpu_seconds = sum(process.cpu_times()[:2])
            time.sleep(0.02)
    if program.returncode:
        raise SystemExit(program.returncode)
    return time.monotonic() - began, cpu_seconds, most / 2**20


def worst_share(workload: Workload, truth: Counter[str]) -> float:
    """Return the largest difference between a share that was learnt and the truth."""
    reads = truth.total() - truth["modify"]
    found = Counter[str]()
    for shape in workload.shapes:
        found[NUMBERED.sub("}", shape.filter) or shape.operation] += shape.count
    return max(abs(found[kind] / reads - truth[kind] / reads) for kind in LOAD if kind != "modify")


def values_in(log: Path) -> set[bytes]:
    """Return the values of clients in the log."""
    with log.open("rb") as file:
        return {value for line in file for value in VALUES.findall(line)}


if __name__ == "__main__":
    main()
