"""Keepalived with two virtual servers on the same real ones, and what the kernel makes of it.

`tests/e2e/scenario.py` starts it in the guest. The first virtual server has the check that is
being tested, the second keepalived's own TCP_CHECK, so that both see the very same fault.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import wait
from demo.cluster import Cluster
from demo.running_program import RunningProgram
from demo.tree import CHECK_DN, PEOPLE, SUFFIX

REPOSITORY = Path(__file__).parents[2]
# Only root may be able to change a script, and every directory above it, or keepalived drops the
# check. A checkout belongs to its developer; in the guest /run is root's.
DIRECTORY = Path("/run/e2e")
LDAPHEALTH_YAML = DIRECTORY / "ldaphealth.yaml"
KEEPALIVED_CONF = DIRECTORY / "keepalived.conf"
ENVIRONMENT = {
    "PATH": f"{REPOSITORY / '.venv/bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
    "LDAPHEALTH": str(REPOSITORY / ".venv/bin/ldaphealth"),
    "LDAPHEALTH_CONFIG": str(LDAPHEALTH_YAML),
}
# Addresses of loopback: the kernel refuses to forward packets from elsewhere to 127.0.0.1, where
# the cluster listens, but clients on the same machine are served.
PORT = 389
CHECKED_BY_LDAP = "127.0.0.9"
CHECKED_BY_TCP = "127.0.0.10"
WEIGHT = 100
# What the agent leaves, in its default directory (docs/keepalived-contract.md).
VERDICTS = Path("/run/ldaphealth/verdicts/example")
TRACKED = Path("/run/ldaphealth/track/example")
# Where `Weights` keeps what the agent says, beside what the virtual servers have.
AGENT = "agent"
START_SECONDS = 30.0

GLOBAL = """\
global_defs {
    router_id e2e
    script_user root
    enable_script_security
}
"""
VIRTUAL_SERVER = """\
virtual_server {address} {port} {{
    delay_loop {delay_loop}
    lb_algo wrr
    lb_kind NAT
    protocol TCP
{real_servers}}}
"""
REAL_SERVER = """\
    real_server {host} {port} {{
        weight {weight}
        {check}
    }}
"""
# As in keepalived/keepalived.conf.example but for `warmup 0`: in the guest the start of Python
# takes most of a second of CPU, so the checks must not all start at the same moment.
MISC_CHECK = """\
MISC_CHECK {{
            misc_path "{command}"
            misc_dynamic
            misc_timeout 12
            retry 1
            delay_before_retry 1
        }}"""
# With keepalived's defaults: 5 s to connect, one retry after 1 s.
TCP_CHECK = """\
TCP_CHECK {
        }"""
# As in keepalived/file-check.conf.example.
TRACK_FILES = """\
track_file {server}_weight {{
    file {directory}/{server}.weight
    weight 1
}}
track_file {server}_fault {{
    file {directory}/{server}.fault
    weight 0
}}
"""
FILE_CHECK = """\
FILE_CHECK {{
            track_file {server}_weight
            weight 1
        }}
        FILE_CHECK {{
            track_file {server}_fault
            weight 0
        }}
        TCP_CHECK {{
            connect_timeout 3
        }}"""


@dataclass(frozen=True, slots=True)
class Setup:
    """How servers are checked.

    `check` is the command line of MISC_CHECK, where `{server}` stands for a server's name; without
    one there is a FILE_CHECK. `daemons` are command lines that run beside keepalived. All get
    ENVIRONMENT.
    """

    check: str
    daemons: tuple[str, ...]
    delay_loop: int


@dataclass(frozen=True, slots=True)
class Processes:
    """What runs until the guest ends."""

    daemons: tuple[RunningProgram, ...]
    keepalived: RunningProgram


@dataclass(eq=False, slots=True)
class Weights:
    """The weight of each server of each virtual server over time, as the kernel tells it.

    For the address AGENT it is as the agent's verdicts have it, which may have expired.
    """

    names: dict[int, str]
    changes: list[tuple[float, str, dict[str, int]]] = field(default_factory=list)

    def probe(self) -> None:
        """Note what is new."""
        now = time.monotonic()
        said = {AGENT: _read_verdicts(self.names.values())}
        for address, weights in (_read_ip_vs(self.names) | said).items():
            if weights != self.at(address):
                self.changes.append((now, address, weights))

    def at(self, address: str, moment: float = float("inf")) -> dict[str, int]:
        """Return the weights at a moment; a server that keepalived has removed has none."""
        for when, changed, weights in reversed(self.changes):
            if changed == address and when <= moment:
                return weights
        return {}

    def since(self, address: str, begin: float) -> list[tuple[float, dict[str, int]]]:
        """Return the weights at a moment and all later ones."""
        later = [(when, w) for when, changed, w in self.changes if changed == address]
        return [(begin, self.at(address, begin)), *(item for item in later if item[0] > begin)]


class Syslog:
    """What is sent to syslog(3): keepalived and the script log nowhere else."""

    def __init__(self, path: Path) -> None:
        self.lines: list[tuple[float, str]] = []
        self._file = path.open("w", buffering=1)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("/dev/log")
        threading.Thread(target=self._collect, daemon=True).start()

    def count(self, begin: float, end: float, *words: str) -> int:
        """Return how many lines of this time have all the words."""
        lines = (line for when, line in self.lines if begin <= when < end)
        return sum(all(word in line for word in words) for line in lines)

    def _collect(self) -> None:
        while True:
            line = self._socket.recv(8192).decode(errors="replace")
            self.lines.append((time.monotonic(), line))
            self._file.write(f"{time.monotonic():.2f} {line}\n")


def install(cluster: Cluster, setup: Setup) -> float:
    """Make what checks and daemons need; return the seconds that one one-shot check takes.

    The first only shows that the configuration is right: what the guest has read it reads faster.
    """
    DIRECTORY.mkdir(mode=0o755)
    shutil.copy(REPOSITORY / "keepalived/ldaphealth-check", DIRECTORY)
    LDAPHEALTH_YAML.write_text(_ldaphealth_yaml(cluster, track_files=not setup.check))
    program = ENVIRONMENT["LDAPHEALTH"]
    subprocess.run([program, "check"], env=ENVIRONMENT, check=True)
    began = time.monotonic()
    as_the_script = [program, "check", "--format", "keepalived", "example/ldap1"]
    subprocess.run(as_the_script, env=ENVIRONMENT, check=True)
    return time.monotonic() - began


def start(cluster: Cluster, setup: Setup, results: Path) -> Processes:
    """Start the daemons and keepalived, which end with the guest."""
    KEEPALIVED_CONF.write_text(_keepalived_conf(cluster, setup))
    daemons = tuple(_start(command, results) for command in setup.daemons)
    if not setup.check:
        # Without the directory keepalived drops the check, and without a file it knows nothing.
        files = [TRACKED / f"{node.name}.fault" for node in cluster.nodes]
        wait.until(
            lambda: all(file.exists() for file in files), START_SECONDS, "there are no track files"
        )
    return Processes(
        daemons, _start(f"keepalived --dont-fork --use-file {KEEPALIVED_CONF}", results)
    )


def ldaphealth(*arguments: str) -> None:
    """Do as an operator does; subprocess.CalledProcessError when it is refused."""
    subprocess.run([ENVIRONMENT["LDAPHEALTH"], *arguments], env=ENVIRONMENT, check=True)


def status() -> Any:
    """Return the agent's status while all servers are in service."""
    command = [ENVIRONMENT["LDAPHEALTH"], "status", "--format", "json"]
    found = subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE)
    return json.loads(found.stdout)


def holding(cluster: Cluster) -> int:
    """Return how many verdicts of the agent hold, by the clock that the script compares with."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    untils = [(VERDICTS / node.name).read_text().split()[3] for node in cluster.nodes]
    return sum(int(until) > int(now) for until in untils)


def step_clock(seconds: float) -> None:
    """Step the time of day, as `date --set` does; never on the machine that runs the tests."""
    if "User Mode Linux" not in Path("/proc/cpuinfo").read_text():
        raise RuntimeError("this is no guest of tests/e2e/guest.py: its clock is not ours to set")
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


def clients_of(address: str, server_port: int) -> set[int]:
    """Return the ports of clients that the kernel has sent to a server, also after they closed."""
    service, server = socket.inet_aton(address).hex().upper(), f"{server_port:04X}"
    ports = set()
    for line in Path("/proc/net/ip_vs_conn").read_text().splitlines():
        match line.split():
            case ["TCP", _, client, to, _, _, destination, *_]:
                if (to, destination) == (service, server):
                    ports.add(int(client, 16))
    return ports


def _start(command: str, results: Path) -> RunningProgram:
    program = RunningProgram(shlex.split(command), results / "daemons", ENVIRONMENT)
    program.launch()
    return program


def _read_ip_vs(names: dict[int, str]) -> dict[str, dict[str, int]]:
    """Read /proc/net/ip_vs, where addresses and ports are hexadecimal."""
    table: dict[str, dict[str, int]] = {}
    weights: dict[str, int] = {}
    for line in Path("/proc/net/ip_vs").read_text().splitlines():
        match line.split():
            case ["TCP", service, *_]:
                host = socket.inet_ntoa(bytes.fromhex(service.partition(":")[0]))
                weights = table[host] = {}
            case ["->", server, "Masq", weight, *_]:
                weights[names[int(server.partition(":")[2], 16)]] = int(weight)
    return table


def _read_verdicts(names: Iterable[str]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            status = int((VERDICTS / name).read_text().split()[2])
            if status > 1:
                weights[name] = status - 2
    return weights


def _ldaphealth_yaml(cluster: Cluster, *, track_files: bool) -> str:
    servers = "".join(f"      {node.name}: {node.uri}\n" for node in cluster.nodes)
    return f"""\
credentials:
  check:
    dn: {CHECK_DN}
    password_file: {cluster.accounts.check.password_file}
clusters:
  example:
    suffix: {SUFFIX}
    credentials: check
    servers:
{servers}    interval_seconds: 1
    deadline_seconds: 2
    settle: {{ramp_seconds: 4}}
    checks:
      replication: {{behind: {{warning: 3, critical: 6}}}}
      search: {{base: "{PEOPLE}", scope: one, entries: {{critical: "10:"}}}}
      # A guest is slow now and then, and a server in it is not worse than the others for it.
      latency: {{seconds: {{warning: 1, critical: 1.9}}, quick_seconds: 1}}
agent: {{track_files: {str(track_files).lower()}}}
"""


def _keepalived_conf(cluster: Cluster, setup: Setup) -> str:
    names = [node.name for node in cluster.nodes]
    if setup.check:
        files = ""
        checks = [MISC_CHECK.format(command=setup.check.format(server=name)) for name in names]
    else:
        files = "".join(TRACK_FILES.format(server=name, directory=TRACKED) for name in names)
        checks = [FILE_CHECK.format(server=name) for name in names]
    return (
        GLOBAL
        + files
        + _virtual_server(CHECKED_BY_LDAP, cluster, checks, setup.delay_loop)
        + _virtual_server(CHECKED_BY_TCP, cluster, [TCP_CHECK] * len(names), setup.delay_loop)
    )


def _virtual_server(address: str, cluster: Cluster, checks: list[str], delay_loop: int) -> str:
    real_servers = "".join(
        REAL_SERVER.format(host="127.0.0.1", port=port(node.uri), weight=WEIGHT, check=check)
        for node, check in zip(cluster.nodes, checks, strict=True)
    )
    return VIRTUAL_SERVER.format(
        address=address, port=PORT, delay_loop=delay_loop, real_servers=real_servers
    )


def port(uri: str) -> int:
    """Return the port of a node."""
    return int(uri.rpartition(":")[2])
