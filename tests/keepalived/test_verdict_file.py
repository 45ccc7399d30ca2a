"""The script exits with the verdict that the agent left, without a fork, while it holds.

Whatever is wrong with the file, the one-shot program is run: no verdict is stale or invented.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from demo.wait import comes_true
from ldaphealth.clocks import boot_seconds
from ldaphealth.guard.reading import WEIGHT_SHARE
from ldaphealth.model import State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.server_files import path_of
from ldaphealth.publishers.verdict_file import MAX_CHARACTERS, VerdictFiles, text
from ldaphealth.sinks.keepalived import misc_check_status
from tests.sinks.nasty import NASTY
from tests.sinks.snapshots import SNAPSHOTS, serving, silent

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"
KEEPALIVED_UMASK = 0o177
LONGEST_SECONDS = 8000  # the script's
ONE_SHOT_STATUS = 1  # the exit status of the stub for the one-shot program
SERVER = "c/s"
SHELLS = [
    pytest.param((path, *options), id=" ".join((name, *options)))
    for name, *options in (("dash",), ("bash", "--posix"), ("bash",), ("busybox", "sh"))
    if (path := shutil.which(name))
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


class Here:
    """A directory of verdicts, a stub for the one-shot program, and a logger that writes a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.verdicts = directory / "verdicts"
        self.file = self.verdicts / SERVER
        self.file.parent.mkdir(parents=True)
        self._program(
            "ldaphealth", f"echo asked >>{directory}/asked; echo {ONE_SHOT_STATUS} the one-shot"
        )
        self._program("logger", f'echo "$*" >>{directory}/log')

    def _program(self, name: str, body: str) -> None:
        (self.directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.directory / name).chmod(0o755)

    def run(
        self, *arguments: str, shell: tuple[str, ...] = ("/bin/sh",), user: int | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the script as keepalived does, as another user where one is given."""
        return subprocess.run(
            [*shell, str(SCRIPT), *arguments],
            env=self.environment,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            umask=KEEPALIVED_UMASK,
            process_group=0,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of the script."""
        return {
            "PATH": str(self.directory),
            "LDAPHEALTH": str(self.directory / "ldaphealth"),
            "LDAPHEALTH_VERDICTS": str(self.verdicts),
            "LDAPHEALTH_OVERRIDES": str(self.directory / "overrides"),
        }

    @property
    def one_shot_ran(self) -> bool:
        """Return whether the one-shot program was started."""
        return (self.directory / "asked").exists()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def soon(seconds: float = 100.0) -> int:
    return int(boot_seconds() + seconds)


def line(  # noqa: PLR0913  the fields of the file
    *,
    magic: str = "ldaphealth1",
    plain: object = 0,
    weighted: object = 102,
    until: object = None,
    name: str = SERVER,
    rest: str = " in service",
) -> bytes:
    end = soon() if until is None else until
    return f"{magic} {plain} {weighted} {end} {name}{rest}\n".encode()


def publish(here: Here, *verdicts: Verdict, until: float | None = None) -> None:
    by_name = {verdict.server: verdict for verdict in verdicts}
    end = boot_seconds() + 100 if until is None else until
    VerdictFiles(here.verdicts).publish(
        Publication(
            cluster="c", verdicts=by_name, due=dict.fromkeys(by_name, end), changes=(), seen=()
        )
    )


def weighing(weight: int) -> Verdict:
    return replace(serving(SERVER), weight=weight)


DRAINED = replace(silent(SERVER), held_by="override", draining=True)
VERDICTS = [
    pytest.param(serving(SERVER), 0, 102, id="in service"),
    pytest.param(weighing(1), 0, 3, id="the least weight"),
    pytest.param(weighing(0), 0, 2, id="configured as weight 0"),
    pytest.param(weighing(253), 0, 255, id="the highest weight"),
    pytest.param(weighing(9999), 0, 255, id="a weight beyond the range of the status"),
    pytest.param(weighing(round(100 * WEIGHT_SHARE[State.WARNING])), 0, 52, id="half a weight"),
    pytest.param(silent(SERVER), 1, 1, id="out"),
    pytest.param(DRAINED, 1, 2, id="drained"),
    pytest.param(replace(silent(SERVER), held_by="override"), 1, 1, id="out by an override"),
    pytest.param(
        replace(silent(SERVER), in_service=True, weight=100, held_by="blind"),
        0,
        102,
        id="held in service",
    ),
]


@pytest.mark.parametrize(("verdict", "plain", "weighted"), VERDICTS)
def test_the_exit_status_is_the_verdict_that_the_agent_left(
    here: Here, verdict: Verdict, plain: int, weighted: int, shell: tuple[str, ...]
) -> None:
    publish(here, verdict)

    assert here.run(SERVER, shell=shell).returncode == plain
    assert here.run("--dynamic", SERVER, shell=shell).returncode == weighted
    assert not here.one_shot_ran


def test_every_weight_comes_through(here: Here) -> None:
    for weight in range(254):
        publish(here, weighing(weight))
        assert here.run("--dynamic", SERVER).returncode == weight + 2
    assert not here.one_shot_ran


def test_both_ways_of_asking_say_the_same_to_keepalived(here: Here) -> None:
    for snapshot in SNAPSHOTS.values():
        for verdict in snapshot.verdicts:
            publish(here, verdict)
            for dynamic in (False, True):
                arguments = ["--dynamic"] * dynamic
                done = here.run(*arguments, verdict.server)
                status = misc_check_status(verdict, dynamic=dynamic)
                assert done.returncode == status
                assert done.stdout.decode().split()[:2] == [str(status), verdict.server]
    assert not here.one_shot_ran


def test_by_hand_the_answer_is_shown_with_its_reasons(here: Here) -> None:
    publish(here, replace(silent(SERVER), in_service=True, weight=100, held_by="blind"))

    done = here.run("--dynamic", SERVER)

    assert done.stdout == b"102 c/s in service, held by blind: bind.timeout\n"
    assert done.stderr == b""


@pytest.mark.parametrize(
    "name", ["main/ldap1.example.com", "a-b.c_d/-s", "c.d/1", "_/_", "c/" + "s" * 64, "C/a..b"]
)
def test_names_with_dots_and_dashes_are_found(
    here: Here, name: str, shell: tuple[str, ...]
) -> None:
    publish(here, serving(name))

    assert here.run("--dynamic", name, shell=shell).returncode == 102
    assert not here.one_shot_ran


SOUND = line()
BROKEN = {
    "empty": b"",
    "a lone line end": b"\n",
    "no line end": line().rstrip(b"\n"),
    "another magic": line(magic="ldaphealth2"),
    "a longer magic": line(magic="ldaphealth11"),
    "no magic": line(magic=""),
    "another server": line(name="c/t"),
    "a server with more behind it": line(name="c/s2"),
    "another cluster": line(name="d/s"),
    "no server": line(name="", rest=""),
    "a pattern for a server": line(name="c/*"),
    "an unknown status": line(plain=2, weighted=256),
    "a negative status": line(plain=-1, weighted=-1),
    "a status with a leading zero": line(plain="00", weighted="0102"),
    "a word for a status": line(plain="in", weighted="in"),
    "an expression for a status": line(plain="$((1))", weighted="`id`"),
    "no end": line(until="x"),
    "a negative end": line(until=-5),
    "an end with a fraction": line(until=f"{soon()}.5"),
    "an end with a sign": line(until=f"+{soon()}"),
    "an end in hexadecimal": line(until=hex(soon())),
    "an expression for an end": line(until="now+100"),
    "the name of a variable for an end": line(until="LONGEST_SECONDS"),
    "an end of many digits": line(until="9" * 400),
    "an end beyond 64 bits": line(until=2**64 + soon()),
    "an end of 15 digits": line(until=10**15 - 1),
    "other separators": line().replace(b" ", b","),
    "binary": bytes(range(256)) * 4,
    "zeros": b"\0" * 4096,
    "zeros with line ends": b"\0\n" * 100,
    "a field of zeros": line().replace(b" 0 102 ", b" \0 \0 "),
    "the tail zeroed": line()[:20] + b"\0" * 20 + b"\n",
    "an empty line first": b"\n" + line(),
    "bytes that are no text": b"\xff\xfe" + line(),
    "carriage returns for line ends": line(rest="").replace(b"\n", b"\r"),
    "much on one line": b"x" * (1 << 18),
    "many blanks": b" " * (1 << 18),
}


@pytest.mark.parametrize("dynamic", [[], ["--dynamic"]], ids=["plain", "dynamic"])
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_rejected(
    here: Here, content: bytes, dynamic: list[str], shell: tuple[str, ...]
) -> None:
    here.file.write_bytes(content)

    assert here.run(*dynamic, SERVER, shell=shell).returncode == ONE_SHOT_STATUS
    assert here.one_shot_ran


def test_no_file_that_was_cut_off_is_accepted(here: Here) -> None:
    whole = text(serving(SERVER), boot_seconds() + 100).encode()
    for length in range(len(whole)):
        here.file.write_bytes(whole[:length])
        (here.directory / "asked").unlink(missing_ok=True)
        assert here.run("--dynamic", SERVER).returncode == ONE_SHOT_STATUS
        assert here.one_shot_ran


@pytest.mark.parametrize(
    "shell", [each for each in SHELLS if each.id in ("dash", "bash --posix")], indirect=True
)
@pytest.mark.parametrize("dynamic", [[], ["--dynamic"]], ids=["plain", "dynamic"])
def test_an_end_with_a_leading_zero_is_rejected(
    here: Here, dynamic: list[str], shell: tuple[str, ...]
) -> None:
    here.file.write_bytes(line(until=f"09{soon()}"))

    here.run(*dynamic, SERVER, shell=shell)

    assert here.one_shot_ran


@pytest.mark.parametrize("past", [1, 10, 10_000])
def test_an_expired_verdict_is_rejected(here: Here, past: int, shell: tuple[str, ...]) -> None:
    publish(here, serving(SERVER), until=max(0.0, boot_seconds() - past))

    assert here.run("--dynamic", SERVER, shell=shell).returncode == ONE_SHOT_STATUS
    assert here.one_shot_ran


def test_without_a_clock_no_verdict_is_used(here: Here) -> None:
    blind = "/usr/bin/mount --bind /dev/null /proc/uptime && exec /bin/sh"
    own_mounts = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c")
    tried = subprocess.run([*own_mounts, f"{blind} -c :"], check=False, capture_output=True)
    if tried.returncode:
        pytest.skip(f"no mount namespace here: {tried.stderr!r}")
    publish(here, serving(SERVER), until=600.0)  # a host that was up for 600 s when the agent died

    asked = here.run(SERVER, shell=(*own_mounts, f'{blind} "$@"', "sh"))  # noqa: S604

    assert (asked.returncode, here.one_shot_ran) == (ONE_SHOT_STATUS, True)


def test_a_verdict_that_expires_this_second_is_rejected(here: Here) -> None:
    publish(here, serving(SERVER), until=boot_seconds())

    assert here.run(SERVER).returncode == ONE_SHOT_STATUS


def test_a_verdict_that_would_hold_too_long_is_rejected(here: Here, shell: tuple[str, ...]) -> None:
    publish(here, serving(SERVER), until=boot_seconds() + LONGEST_SECONDS - 30)
    assert here.run("--dynamic", SERVER, shell=shell).returncode == 102
    assert not here.one_shot_ran

    publish(here, serving(SERVER), until=boot_seconds() + LONGEST_SECONDS + 30)
    assert here.run("--dynamic", SERVER, shell=shell).returncode == ONE_SHOT_STATUS


def missing(file: Path) -> None:
    file.unlink(missing_ok=True)


def without_a_directory(file: Path) -> None:
    file.parent.rmdir()


def a_directory(file: Path) -> None:
    file.mkdir()


def a_loop(file: Path) -> None:
    file.symlink_to(file.name)


def a_dangling_link(file: Path) -> None:
    file.symlink_to("gone")


def a_file_for_the_cluster(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_bytes(SOUND)


def a_socket_that_nobody_listens_on(file: Path) -> None:
    os.mknod(file, 0o140644)


def a_link_to_a_verdict(file: Path) -> None:
    file.with_name("elsewhere").write_bytes(line())
    file.symlink_to("elsewhere")


def a_fifo(file: Path) -> None:
    os.mkfifo(file)


def a_link_to_endless_zeros(file: Path) -> None:
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make",
    [
        missing,
        without_a_directory,
        a_directory,
        a_loop,
        a_dangling_link,
        a_file_for_the_cluster,
        a_socket_that_nobody_listens_on,
        a_link_to_a_verdict,
        a_fifo,
        a_link_to_endless_zeros,
    ],
)
def test_what_cannot_be_read_is_asked_for(
    here: Here, make: Callable[[Path], None], shell: tuple[str, ...]
) -> None:
    make(here.file)

    assert here.run("--dynamic", SERVER, shell=shell).returncode == ONE_SHOT_STATUS
    assert here.one_shot_ran


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_not_read(here: Here, shell: tuple[str, ...]) -> None:
    os.mknod(here.file, 0o020644, os.makedev(1, 5))  # as /dev/zero

    assert here.run("--dynamic", SERVER, shell=shell).returncode == ONE_SHOT_STATUS


@pytest.mark.parametrize("shell", [each for each in SHELLS if each.id != "dash"], indirect=True)
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="nothing else"),
        # Without an ID it would contain the time, and differ between the workers of pytest-xdist.
        pytest.param(line(rest=" in service ").rstrip(b"\n"), id="a verdict before it"),
    ],
)
def test_bash_reads_no_more_than_the_start_of_a_long_line(
    here: Here, shell: tuple[str, ...], start: bytes
) -> None:
    here.file.write_bytes(start + b"x" * (8 << 20))
    began = monotonic()

    assert here.run("--dynamic", SERVER, shell=shell).returncode == ONE_SHOT_STATUS
    assert monotonic() - began < 5


@pytest.mark.parametrize("shell", [each for each in SHELLS if each.id == "dash"], indirect=True)
def test_dash_reads_a_long_line_to_its_end_and_then_ends_with_1_if_it_was_stopped(
    here: Here, shell: tuple[str, ...]
) -> None:
    """The documented limit: keepalived would end it by SIGKILL two seconds after its SIGTERM."""
    here.file.write_bytes(b"x" * (3 << 20))
    with subprocess.Popen([*shell, SCRIPT, SERVER], env=here.environment) as script:
        comes_true(lambda: str(here.file) in open_files(script.pid), 5.0)
        script.terminate()
        status = script.wait(60)

    assert status == 1
    assert not here.one_shot_ran


def open_files(pid: int) -> set[str]:
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}


NOBODY = 65534


@pytest.fixture
def there() -> Iterator[Here]:
    """Return what other users may enter too, unlike the directories of pytest."""
    with tempfile.TemporaryDirectory(prefix="ldaphealth-test-") as made:
        directory = Path(made)
        directory.chmod(0o777)
        yield Here(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o000, 0o600, 0o640])
def test_a_file_that_the_script_user_may_not_read_is_asked_for(there: Here, mode: int) -> None:
    publish(there, serving(SERVER))
    there.file.chmod(mode)

    assert there.run("--dynamic", SERVER, user=NOBODY).returncode == ONE_SHOT_STATUS
    assert there.one_shot_ran


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "umask",
    [
        0o022,
        pytest.param(
            0o077,
        ),
    ],
)
def test_the_script_user_can_read_verdicts_whatever_the_umask_of_the_agent_is(
    there: Here, umask: int
) -> None:
    there.file.parent.rmdir()
    before = os.umask(umask)
    try:
        publish(there, serving(SERVER))
    finally:
        os.umask(before)

    assert there.run("--dynamic", SERVER, user=NOBODY).returncode == 102
    assert not there.one_shot_ran


def test_the_fast_path_starts_no_process(here: Here, shell: tuple[str, ...]) -> None:
    strace, trace = shutil.which("strace"), here.directory / "trace"
    if strace is None:
        pytest.skip("strace is not here")
    publish(here, serving(SERVER))
    done = subprocess.run(
        [strace, "-f", "-o", trace, "-e", "trace=process", *shell, SCRIPT, "--dynamic", SERVER],
        env=here.environment,
        timeout=60,
        check=False,
        capture_output=True,
    )
    if "exited with" not in (trace.read_text() if trace.exists() else ""):
        pytest.skip("strace may not trace here")

    assert done.returncode == 102
    calls = [each.split(maxsplit=1)[1].partition("(")[0] for each in trace.read_text().splitlines()]
    assert [call for call in calls if not call.startswith("+++")] == ["execve", "exit_group"]


def test_the_fast_path_needs_no_program_at_all(here: Here, shell: tuple[str, ...]) -> None:
    publish(here, silent(SERVER))
    for program in ("ldaphealth", "logger"):
        (here.directory / program).unlink()

    assert here.run(SERVER, shell=shell).returncode == 1


def test_an_empty_environment_and_closed_descriptors_do_not_change_the_answer(
    here: Here, shell: tuple[str, ...]
) -> None:
    publish(here, serving(SERVER))
    command = (
        f"exec env -i LDAPHEALTH_VERDICTS={here.verdicts} PATH={os.environ['PATH']} "
        f"{' '.join(shell)} {SCRIPT} --dynamic {SERVER} <&- >&- 2>&-"
    )

    assert subprocess.run(["/bin/sh", "-c", command], check=False, timeout=20).returncode == 102


def test_a_reader_that_went_away_does_not_change_the_answer(
    here: Here, shell: tuple[str, ...]
) -> None:
    publish(here, serving(SERVER))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status = subprocess.run(
            [*shell, SCRIPT, "--dynamic", SERVER],
            env=here.environment,
            stdout=writer,
            check=False,
            timeout=20,
            restore_signals=True,
        ).returncode
    finally:
        os.close(writer)

    assert status == 102


def test_a_full_disk_behind_standard_output_does_not_change_the_answer(
    here: Here, shell: tuple[str, ...]
) -> None:
    publish(here, serving(SERVER))
    with Path("/dev/full").open("wb") as full:
        status = subprocess.run(
            [*shell, SCRIPT, "--dynamic", SERVER],
            env=here.environment,
            stdout=full,
            stderr=full,
            check=False,
            timeout=20,
        ).returncode

    assert status == 102


@pytest.mark.parametrize("mischief", NASTY.values(), ids=NASTY)
def test_whatever_servers_say_the_line_is_short_and_accepted(here: Here, mischief: str) -> None:
    verdict = replace(silent(SERVER), held_by=mischief)
    reason = replace(verdict.reasons[0], code=mischief)
    publish(here, replace(verdict, reasons=(reason,) * 20))

    content = here.file.read_bytes()
    assert len(content) <= MAX_CHARACTERS + 1
    assert content.count(b"\n") == 1
    assert content.endswith(b"\n")
    assert content.rstrip(b"\n").decode("ascii").isprintable()
    assert here.run("--dynamic", SERVER).returncode == 1
    assert not here.one_shot_ran


def test_the_end_is_never_later_than_the_agents() -> None:
    assert text(serving(SERVER), 1234.999).split()[3] == "1234"


def test_servers_that_are_looked_at_no_more_lose_their_file(here: Here) -> None:
    files = VerdictFiles(here.verdicts)
    both = {"c/s": serving("c/s"), "c/t": serving("c/t")}
    files.publish(
        Publication(cluster="c", verdicts=both, due=dict.fromkeys(both, 99.0), changes=(), seen=())
    )
    files.publish(
        Publication(
            cluster="d", verdicts={"d/s": serving("d/s")}, due={"d/s": 99.0}, changes=(), seen=()
        )
    )

    files.publish(
        Publication(cluster="c", verdicts={"c/t": both["c/t"]}, due={}, changes=(), seen=())
    )

    left = sorted(str(each.relative_to(here.verdicts)) for each in here.verdicts.glob("*/*"))
    assert left == ["c/t", "d/s"]


def test_only_what_is_due_is_written(here: Here) -> None:
    both = {"c/s": serving("c/s"), "c/t": serving("c/t")}

    VerdictFiles(here.verdicts).publish(
        Publication(cluster="c", verdicts=both, due={"c/t": 99.0}, changes=(), seen=())
    )

    assert not here.file.exists()
    assert path_of(here.verdicts, "c/t").exists()


def test_close_leaves_the_files(here: Here) -> None:
    publish(here, serving(SERVER))
    VerdictFiles(here.verdicts).close()

    assert here.file.exists()


def test_one_file_that_cannot_be_written_does_not_hold_up_the_others(here: Here) -> None:
    (here.file / "in the way").mkdir(parents=True)
    both = {"c/s": serving("c/s"), "c/t": serving("c/t")}

    with pytest.raises(IsADirectoryError):
        VerdictFiles(here.verdicts).publish(
            Publication(
                cluster="c", verdicts=both, due=dict.fromkeys(both, 99.0), changes=(), seen=()
            )
        )

    assert path_of(here.verdicts, "c/t").exists()


def test_the_fast_path_is_fast(here: Here) -> None:
    publish(here, serving(SERVER))
    began = monotonic()

    for _ in range(20):
        assert here.run("--dynamic", SERVER).returncode == 102

    assert monotonic() - began < 4  # 200 ms each, where 2 are usual: a bound for a busy machine
