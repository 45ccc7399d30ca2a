"""Runs the commands of docs/tutorial.md on two balancers of a real network, in the guest.

The balancers are network, mount and host name namespaces behind a bridge; the four servers are on
the other side. No client connects: test_keepalived.py has clients. `tests/e2e/test_tutorial.py`
starts it, and it leaves `tutorial.json` in the directory of results.

Some commands have a stand-in, because the guest has neither a package index nor systemd nor sshd:
`apt install` (the programs are put where the Debian package has them), `systemctl restart` (starts
what the unit starts, as its user), `rsync` (copies the directories) and `ssh ... ldapmodify` (sends
the same LDIF as the administrator of cn=config). The administrator's password is in a file (`-y`),
and is not typed (`-W`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from demo import wait
from demo.cluster import Cluster
from demo.node import DATABASE
from demo.running_program import RunningProgram
from demo.tree import CHECK_DN, ROOT_DN, SERVICES
from tests.e2e.balancer import REPOSITORY, Syslog

TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
HEADING = re.compile(r"^## (?:On (.+))?.*$", re.MULTILINE)
# A line, with those that follow a backslash, up to the end of a loop, or of a document for it.
COMMAND = re.compile(
    r"^    (\S.*?(?:\\\n.*?)*(?:; do\n(?:.*\n)*?    done|<<'(\w+)'\n(?:.*\n)*?    \2)?)$",
    re.MULTILINE,
)
CA_FILE = Path("/etc/ssl/certs/example-ca.pem")
ADMINISTRATOR_PASSWORD = Path("/root/administrator-password")
RULES = (  # as Debian's slapd has them
    "to attrs=userPassword by self write by anonymous auth by * none",
    "to * by * read",
)
SSH = f"""\
#!/bin/sh
server=${{1#root@}}; shift
test "$*" = "ldapmodify -Q -Y EXTERNAL -H ldapi:///" || exit 1
LDAPTLS_CACERT={CA_FILE} exec ldapmodify -ZZ -x -D {ROOT_DN} -y {ADMINISTRATOR_PASSWORD} -H "ldap://$server"
"""
BALANCERS = {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}
VIRTUAL = "192.0.2.10"
SERVERS = {f"ldap{n}.example.com": f"192.0.2.{10 + n}" for n in range(1, 5)}
SCRIPTS = Path("/usr/libexec/ldaphealth")  # of the Debian package
OWN = ("/run", "/etc/ldaphealth", "/etc/keepalived", "/var/lib/ldaphealth")
USER = "ldaphealth"
SOCKET = "/run/ldaphealth/agent.sock"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "COLUMNS": "80"}
IN_SECONDS = 40.0  # until keepalived has the verdicts
OUT_SECONDS = 40.0  # and twice the deadline, if discover wrote another than that by default
DEADLINE = re.compile(r"^ *deadline_seconds: (\d+)", re.MULTILINE)
BACK_SECONDS = 60.0


def commands() -> list[tuple[tuple[str, ...], str]]:
    """Return each command of the tutorial, with the balancers on which it is run."""
    _, *parts = HEADING.split(TUTORIAL.read_text(encoding="utf-8"))
    return [
        (tuple(hosts.split(" and ")), textwrap.dedent(f"    {found[1]}"))
        for hosts, text in zip(parts[::2], parts[1::2], strict=True)
        if hosts
        for found in COMMAND.finditer(text)
    ]


def root(*command: str) -> None:
    """Run a command outside of the balancers; subprocess.CalledProcessError if it fails."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True)
class Balancer:
    """A host: namespaces of its own, which a process keeps until the guest ends."""

    name: str
    results: Path

    def inside(self, *command: str) -> list[str]:
        """Return the command line that runs this in the namespaces of the balancer."""
        namespaces = ("--net", "--uts", "--mount", "--root", "--wd=/")
        return ["nsenter", f"--target={self.pid}", *namespaces, "--", *command]

    @property
    def pid(self) -> int:
        """Return the process whose namespaces are those of the balancer."""
        return int((self.results / f"{self.name}.pid").read_text())

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run one command line of the tutorial, or its stand-in."""
        words = shlex.split(line)
        line = line.replace(" -W ", f" -y {ADMINISTRATOR_PASSWORD} ")
        match words:
            case ["apt", "install", *_]:
                return self._shell("ldaphealth --version && keepalived --version")
            case ["systemctl", "restart", *services]:
                for each in services:
                    self._start(each)
                return subprocess.CompletedProcess(words, 0, "", "")
            case ["rsync", "-a", *sources, target]:
                for host, _, path in (each.partition(":") for each in sources):
                    self._copy(host, Path(path), Path(target))
                return subprocess.CompletedProcess(words, 0, "", "")
        return self._shell(line)

    def has_virtual_address(self) -> bool:
        """Return whether keepalived's VRRP has given the virtual address to this balancer."""
        return f" {VIRTUAL}/" in self._shell("ip -o -4 address show dev eth0").stdout

    def read(self, path: str) -> str:
        """Return the content of a file there."""
        return self._shell(f"cat {path}").stdout

    def _shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.inside("sh", "-c", line),
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def _start(self, service: str) -> None:
        as_user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        started = {
            "ldaphealth-agent": (*as_user, "ldaphealth", "agent"),
            "keepalived": ("keepalived", "--dont-fork"),
        }[service]
        log = self.results / f"{self.name}.{service}.log"
        RunningProgram(self.inside(*started), log, ENVIRONMENT).launch()
        if service == "ldaphealth-agent":  # the unit is ready with the socket (Type=notify)
            wait.until(lambda: self._shell(f"test -S {SOCKET}").returncode == 0, 30.0, "no agent")

    def _copy(self, host: str, path: Path, target: Path) -> None:
        other = Balancer(host, self.results)
        packed = subprocess.run(
            other.inside("tar", "-C", str(path.parent), "-c", path.name),
            check=True,
            stdout=subprocess.PIPE,
        )
        subprocess.run(self.inside("tar", "-C", str(target), "-x"), input=packed.stdout, check=True)


def weights(balancer: Balancer) -> dict[str, int]:
    """Return the weights in the balancer's IPVS by address of the server."""
    found = {}
    for line in balancer.read("/proc/net/ip_vs").splitlines():
        match line.split():
            case ["->", server, _, weight, *_] if ":" in server and weight.isdigit():
                host = socket.inet_ntoa(bytes.fromhex(server.partition(":")[0]))
                found[host] = int(weight)
    return found


def make_network() -> None:
    """Connect the namespaces by a bridge; the servers are in this one, on the bridge itself."""
    root("ip", "link", "add", "br0", "type", "bridge")
    root("ip", "link", "set", "br0", "up")
    for address in SERVERS.values():
        root("ip", "address", "add", f"{address}/24", "dev", "br0")
    for name, address in BALANCERS.items():
        root("ip", "netns", "add", name)
        root("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        root("ip", "link", "set", name, "master", "br0", "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("link", "set", "eth0", "up"),
            ("address", "add", f"{address}/24", "dev", "eth0"),
        ):
            root("ip", "-n", name, *command)
    with Path("/etc/hosts").open("a") as hosts:
        hosts.writelines(f"{address} {name}\n" for name, address in SERVERS.items())


def install(ca_file: Path) -> None:
    """Put the programs where the Debian package has them, and the CA where the tutorial has it."""
    shutil.copy(REPOSITORY / ".venv/bin/ldaphealth", "/usr/bin/ldaphealth")
    SCRIPTS.mkdir(parents=True)
    for script in ("ldaphealth-check", "ldaphealth-fit"):
        shutil.copy(REPOSITORY / "keepalived" / script, SCRIPTS)
    root("useradd", "--system", "--no-create-home", USER)
    for own in (Path(sys.executable).resolve(), REPOSITORY):  # for a user other than root
        for directory in own.parents:
            directory.chmod(directory.stat().st_mode | 0o111)
    shutil.copy(ca_file, CA_FILE)
    ssh = Path("/usr/bin/ssh")
    ssh.unlink(missing_ok=True)
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    stdin = Path("/dev/stdin")  # every Debian has it, the guest has not
    if not stdin.is_symlink():
        stdin.symlink_to("/proc/self/fd/0")
    for each in OWN:
        Path(each).mkdir(parents=True, exist_ok=True)


def make_usual(cluster: Cluster) -> None:
    """Remove the account, and the rules for it: what an administrator has before the tutorial."""
    root = cluster.nodes[0].root
    for dn in (CHECK_DN, SERVICES):
        root.delete(dn)
    lines = "\n".join(f"olcAccess: {each}" for each in RULES)
    for node in cluster.nodes:
        node.root.modify(DATABASE, f"replace: olcAccess\n{lines}")
    cluster.wait_until_level()
    assert root.credentials is not None
    assert root.credentials.password_file is not None
    shutil.copy(root.credentials.password_file, ADMINISTRATOR_PASSWORD)


def make_balancer(name: str, results: Path) -> Balancer:
    """Start the process that keeps the namespaces of a balancer, with empty directories."""
    steps = (
        f"hostname {name}",
        *(f"mount -t tmpfs -o mode=755 none {each}" for each in OWN),
        f"install -d -o {USER} -g {USER} /run/ldaphealth /var/lib/ldaphealth",
        "echo $$ >&3",
        "exec sleep infinity",
    )
    pid_file = results / f"{name}.pid"
    enter = f'exec 3>{pid_file}; exec ip netns exec {name} unshare --mount --uts sh -c "$0"'
    command = ["sh", "-c", enter, " && ".join(steps)]
    RunningProgram(command, results / f"{name}.log", ENVIRONMENT).launch()
    wait.until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), 20, f"no {name}")
    return Balancer(name, results)


def main() -> None:
    """Run in the guest: the commands, then a frozen server, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    results: Path = parser.parse_args().results
    done: list[dict[str, object]] = []
    seen: dict[str, object] = {"commands": done}
    with contextlib.ExitStack() as running:
        written = results / "tutorial.json"
        running.callback(lambda: written.write_text(json.dumps(seen, indent=1)))
        make_network()
        Syslog(results / "syslog")
        cluster = running.enter_context(
            Cluster(tls=True, hosts=(*SERVERS,), identities=("ldap{n}.example.com",))
        )
        assert cluster.ca_file is not None
        install(cluster.ca_file)
        make_usual(cluster)
        balancers = {name: make_balancer(name, results) for name in BALANCERS}
        began = time.monotonic()
        for name, line in ((name, line) for names, line in commands() for name in names):
            at = time.monotonic()
            result = balancers[name].run(line)
            done.append(
                {
                    "balancer": name,
                    "command": line,
                    "status": result.returncode,
                    "output": result.stdout + result.stderr,
                    "seconds": round(time.monotonic() - at, 1),
                }
            )
        seen["seconds"] = round(time.monotonic() - began, 1)
        seen |= faults(cluster, [*balancers.values()])


def faults(cluster: Cluster, balancers: list[Balancer]) -> dict[str, object]:
    """Freeze a server and thaw it; return what both balancers made of it."""
    full = dict.fromkeys(SERVERS.values(), 100)
    frozen = SERVERS["ldap2.example.com"]

    def all_have(expected: dict[str, int]) -> bool:
        return all(
            {host: weight for host, weight in weights(each).items() if weight} == expected
            for each in balancers
        )

    seen: dict[str, object] = {}
    seen["in"] = wait.comes_true(lambda: all_have(full), IN_SECONDS)
    cluster.nodes[1].freeze()
    rest = {host: weight for host, weight in full.items() if host != frozen}
    deadlines = DEADLINE.findall(balancers[0].read("/etc/ldaphealth/ldaphealth.yaml"))
    limit = OUT_SECONDS + 2 * max(map(float, deadlines), default=0.0)
    seen["out"] = wait.comes_true(lambda: all_have(rest), limit)
    seen["status"] = balancers[0].run("ldaphealth status").stdout
    cluster.nodes[1].thaw()
    seen["back"] = wait.comes_true(lambda: all_have(full), BACK_SECONDS)
    seen["weights"] = {each.name: weights(each) for each in balancers}
    seen["has_address"] = [each.name for each in balancers if each.has_virtual_address()]
    return seen


if __name__ == "__main__":
    os.environ["PATH"] = f"{REPOSITORY / '.venv/bin'}:{ENVIRONMENT['PATH']}"
    main()
