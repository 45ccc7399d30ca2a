"""What reads input of others: each a function that may only fail as it documents.

It gets the input, and raises nothing if that is refused as documented. The inputs in
tests/fuzz/corpus, in the directory of the target, are what the random ones are made of: valid ones,
and those that were trouble once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from math import isfinite
from pathlib import Path

from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.links import _link
from ldaphealth.checks.monitor_access import number
from ldaphealth.config import ConfigError, load
from ldaphealth.config.workload_file import load_workload
from ldaphealth.content.resume_file import ComparedContents, load_progress
from ldaphealth.control.requests import MAX_SECONDS
from ldaphealth.csn.value import CSNError, parse
from ldaphealth.csn.vector import parse_vector
from ldaphealth.ldap import codec
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.encoded_flights import encoded_flights
from ldaphealth.ldap.flight import CompareRequest, SearchRequest
from ldaphealth.ldap.message_layer import MessageLayer
from ldaphealth.ldap.search_filter import encode
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.transport import Transport, frame_bytes
from ldaphealth.model import Failure, FailureKind, Server
from ldaphealth.publishers.verdict_file import parse_line
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.store.kept_observations import load_kept
from ldaphealth.store.override_files import read_override_files
from ldaphealth.store.state_file import load_state
from ldaphealth.web.web_config_file import read_web_config_file
from ldaphealth.workload.draw import by_hand, draw
from ldaphealth.workload.file_text import workload_text
from ldaphealth.workload.learner import Learner
from ldaphealth.workload.learnt import NothingLearntError, learnt_workload
from ldaphealth.workload.log_file import LogFileError, chunks_of_lines

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"
LINK = (
    "olmsrconnection",
    "olmsrsyncphase",
    "olmsrlastconnect",
    "olmsrlastcontact",
    "olmsrnextconnect",
)
CHECKS = tuple(
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), BUILT_IN[name].effect)
    for name in ("bind", "search", "replication", "consumer", "resources", "entry_count")
)
SERVER = Server(cluster="c", name="s", uri="ldap://192.0.2.1")


def codec_of_responses(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = codec.response(data)
        for decode in (codec.result, codec.octets_entry, codec.check_reference):
            with contextlib.suppress(ValueError):
                decode(found.payload)
        for decode_controls in (codec.cookie, codec.post_read_entry):
            with contextlib.suppress(ValueError):
                decode_controls(found.controls)


def cookie(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        codec.cookie({codec.PAGED_RESULTS_OID: data})


def frames(data: bytes) -> None:
    with contextlib.suppress(SessionError):
        frame_bytes(data)


def conversation(data: bytes) -> None:
    """Use a session with a server that sends this, whatever is sent to it, and closes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        session = Session(SERVER, Deadline.after(5.0))
        ours.setblocking(False)
        transport = Transport(ours, session.deadline)
        flight = (SearchRequest.read("dc=x", ("cn",)), CompareRequest("dc=x", "dc", "x"))
        session.plan(encoded_flights([flight]))
        session._messages = MessageLayer(transport, session._planned, session.counts)
        theirs.settimeout(5.0)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.closing(session):
            failure = failure_of(lambda: use(session))
    assert failure is None or not failure.is_local, failure


def failure_of(operate: Callable[[], object]) -> Failure | None:
    """Return why a session failed, if it did; it never accuses this program or this host."""
    try:
        operate()
    except SessionError as error:
        failure = error.failure
        found = (failure.kind is FailureKind.BUG, failure.detail.isprintable())
        return failure if found == (False, True) else replace(failure, is_local=True)
    return None


def use(session: Session) -> None:
    """Do one operation of each kind, as far as the session lives."""
    session.bind()
    for operate in (
        lambda: session.read("dc=x", ("cn",)),
        lambda: session.search("dc=x", "sub", "(cn=*)", ("cn",)),
        lambda: [*session.pages("dc=x", "sub", "(cn=*)", ("cn",), 5, lambda each: each)],
        lambda: session.compare("dc=x", "dc", "x"),
        lambda: session.replace_and_read("dc=x", "dc", "x", ("dc",)),
        lambda: session.count("dc=x", "sub", "(cn=*)", 5),
    ):
        failure = failure_of(operate)
        assert failure is None or not failure.is_local, failure
        if not session.alive:
            return
    session.unbind()


def csn(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(CSNError):
        found = parse(text)
        assert parse(str(found)) == found


def vector(data: bytes) -> None:
    with contextlib.suppress(CSNError):
        parse_vector(data.decode("utf-8", "replace").split("\n"))


def monitor_values(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = number({"monitorcounter": (text,)}, "monitorcounter")
    assert found is None or 0 <= found < 10**20
    values = dict(zip(LINK, [(each,) for each in text.split("\n")], strict=False))
    link = _link(text, values, "x")
    assert f"{link.dn}{link.phase_now}{link.connect}".isprintable()
    assert link.poll_interval_seconds >= 0.0


def verdict_line(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_line(data.decode("ascii"))


def with_file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Return what writes the input to a file of this user, and reads it."""

    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "file"
            path.write_bytes(data)
            path.chmod(0o600)
            read(path)

    return run


def configuration(path: Path) -> None:
    with contextlib.suppress(ConfigError):
        load(path)


def web_configuration(path: Path) -> None:
    with contextlib.suppress(ValueError):
        read_web_config_file(path)


def state(path: Path) -> None:
    loaded = load_state(path, 5000.0)
    assert "\n" not in loaded.problem
    for memory in loaded.memories.values():
        assert all(each.until <= 5000.0 + MAX_SECONDS for each in memory.overrides.values())


def overrides(path: Path) -> None:
    """Read the input as the file of one server, below the directory of its cluster."""
    place = path.parent / "c" / "s"
    place.parent.mkdir()
    path.rename(place)
    found = read_override_files(path.parent, boot_id="BOOT", now=5000.0, epoch=1e9)
    for memory in found.values():
        assert all(isfinite(each.until) for each in memory.overrides.values())


def kept(path: Path) -> None:
    loaded = load_kept(path, lambda: 5000.0)
    assert "\n" not in loaded.problem
    cluster = Cluster(name="c", servers=(SERVER,), checks=CHECKS, min_in_service=1)
    loaded.of(cluster)


def resume(path: Path) -> None:
    with contextlib.suppress(ValueError):
        load_progress(path, ComparedContents({"c/s": "ldap://x"}, "dc=x"))


def log(path: Path) -> None:
    """Learn from the input as a log; what is learnt is a valid file, which says the same."""
    for keep_values in (False, True):
        learner = Learner(keep_values=keep_values)
        with path.open("rb") as file, contextlib.suppress(LogFileError):
            for lines in chunks_of_lines(file):
                for line in lines:
                    learner.read(line)
        learner.finish()
        with contextlib.suppress(NothingLearntError):
            learnt = learnt_workload(learner, at_least=1, most_shapes=100)
            written = path.with_name("workload")
            written.write_text(workload_text(learnt), encoding="utf-8")
            assert load_workload(written) == learnt


def workload(path: Path) -> None:
    with contextlib.suppress(ConfigError):
        found = load_workload(path)
        values = {name: [*each.values, "x"] for name, each in found.sources.items()}
        for operation in draw(found, values, "seed", 20):
            assert operation.shape.operation in {"search", "compare"}
            assert operation.shape.operation == "compare" or encode(operation.filter)
            assert by_hand(operation, "ldap://x")


def script(path: Path) -> None:
    """Let keepalived's script read the verdict; what it refuses, the program would have to say."""
    verdict = path.parent / "run" / "verdicts" / "c" / "s"
    verdict.parent.mkdir(parents=True)
    path.rename(verdict)
    environment = {
        "PATH": os.environ["PATH"],
        "LDAPHEALTH": "/nonexistent",
        "LDAPHEALTH_VERDICTS": str(verdict.parents[1]),
        "LDAPHEALTH_OVERRIDES": str(path.parent / "overrides"),
    }
    done = subprocess.run(
        ["/bin/sh", SCRIPT, "c/s"], env=environment, capture_output=True, timeout=30, check=False
    )
    assert done.returncode in {0, 1}


TARGETS: dict[str, Callable[[bytes], object]] = {
    "codec": codec_of_responses,
    "frames": frames,
    "cookie": cookie,
    "session": conversation,
    "csn": csn,
    "vector": vector,
    "monitor": monitor_values,
    "verdict": verdict_line,
    "script": with_file(script),
    "overrides": with_file(overrides),
    "configuration": with_file(configuration),
    "web_configuration": with_file(web_configuration),
    "state": with_file(state),
    "kept": with_file(kept),
    "resume": with_file(resume),
    "log": with_file(log),
    "workload": with_file(workload),
}
