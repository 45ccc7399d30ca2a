"""`make demo`: four slapd nodes, their faults, the verdicts, and the recovery.

Every step checks its result; the exit status is 0 only if all results are as expected.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from demo import ports, wait
from demo.client import ENVIRONMENT
from demo.cluster import Cluster
from demo.programs import find
from demo.running_program import RunningProgram
from demo.tree import CANARIES, CHECK_DN, PEOPLE, SUFFIX, person
from demo.writes import steady_writes

PROGRAM = Path(sys.executable).with_name("ldaphealth")
SCRIPT = Path(__file__).parents[1] / "keepalived" / "ldaphealth-check"
CHANGE = "replace: description\ndescription: behind replication's back"
CONFIG = """\
agent:
  runtime_directory: {directory}/run
  state_directory: {directory}/state
  http: {{listen: "127.0.0.1:{port}"}}
credentials:
  probe: {{dn: "{dn}", password_file: {password_file}}}
clusters:
  demo:
    suffix: {suffix}
    credentials: probe
    deadline_seconds: 4
    interval_seconds: 1
    settle: {{min_out_seconds: 1, ramp_seconds: 2}}
    servers: {{{servers}}}
    checks:
      search: {{base: "{people}", scope: one, entries: {{critical: "10:"}}}}
      write: {{container: "{canaries}", agent: demo}}
"""


class Demo:
    """The steps of the demo; `failed` counts those with an unexpected result."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._http = ports.reserve(1, ("127.0.0.1",))
        (self.http_port,) = self._http.ports
        self.config = self._write_config()
        self.failed = 0

    def _write_config(self) -> Path:
        servers = ", ".join(f'{node.name}: "{node.uri}"' for node in self.cluster.nodes)
        path = self.cluster.directory / "ldaphealth.yaml"
        path.write_text(
            CONFIG.format(
                dn=CHECK_DN,
                password_file=self.cluster.accounts.check.password_file,
                suffix=SUFFIX,
                servers=servers,
                people=PEOPLE,
                canaries=CANARIES,
                directory=self.cluster.directory,
                port=self.http_port,
            )
        )
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ldaphealth on the demo's configuration; its standard error goes to the terminal."""
        print("$ ldaphealth", *arguments, flush=True)
        return subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the program and the script, with the files of this demo."""
        directory = self.cluster.directory
        return os.environ | {
            "LDAPHEALTH": str(PROGRAM),
            "LDAPHEALTH_CONFIG": str(self.config),
            "LDAPHEALTH_SOCKET": f"{directory}/run/agent.sock",
            "LDAPHEALTH_VERDICTS": f"{directory}/run/verdicts",
        }

    @contextmanager
    def agent(self) -> Iterator[None]:
        """Run the agent while the block lasts."""
        print("$ ldaphealth agent &", flush=True)
        log = self.cluster.directory / "agent.log"
        with RunningProgram([PROGRAM, "agent"], log, self.environment, stop_seconds=5.0) as agent:
            agent.wait_until_ready(
                lambda: self.script("demo/ldap4") == 0, 10.0, "the agent writes no verdict"
            )
            yield
        if agent.status == -signal.SIGKILL:
            raise TimeoutError(f"the agent does not stop: {agent.log_tail()}")

    def script(self, server: str) -> int:
        """Return the exit status of the script that keepalived runs, and discard its output."""
        done = subprocess.run(
            ["/bin/sh", SCRIPT, server],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
        return done.returncode

    def make_canaries(self) -> None:
        """Add what `canary plan` prints, as an administrator would, and wait until it arrives."""
        planned = self.run("canary", "plan", "demo")
        planned.check_returncode()
        root = self.cluster.accounts.root
        subprocess.run(
            [
                find("ldapadd"),
                "-x",
                "-H",
                self.cluster.nodes[0].ldapi_uri,
                "-D",
                root.dn,
                "-y",
                root.password_file,
            ],
            input=planned.stdout,
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=True,
            env=ENVIRONMENT,
        )
        self.cluster.wait_until_level()

    def show(self, expected: dict[str, list[str]]) -> None:
        """Run the check in both formats; compare the servers that are out, and their reasons."""
        print(self.run("check").stdout, flush=True)
        verdicts = json.loads(self.run("check", "--format", "json").stdout)["verdicts"]
        seen = {
            verdict["server"]: [r["code"] for r in verdict["reasons"] if r["effect"] == "out"]
            for verdict in verdicts
            if not verdict["in_service"]
        }
        self.expect(f"out of service: {', '.join(expected) or 'none'}", seen, expected)

    def keepalived(self, server: str, expected: int) -> None:
        """Run the script that keepalived runs."""
        print(f"$ ldaphealth-check {server}", flush=True)
        done = subprocess.run(
            ["/bin/sh", SCRIPT, server], env=self.environment, timeout=30, check=False
        )
        self.expect(
            f"keepalived gets exit status {expected} for {server}", done.returncode, expected
        )

    def health(self, server: str, expected: int) -> None:
        """Send a request to the agent by HTTP, as Consul or a cloud balancer does."""
        path = f"/health/{server}"
        print(f"GET http://127.0.0.1:{self.http_port}{path}", flush=True)
        with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=5.0)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            print(response.read().decode().strip(), flush=True)
        self.expect(f"HTTP has status {expected} for {server}", response.status, expected)

    def content(self, dn: str, server: str) -> None:
        """Compare all entries; exactly one must differ, on one server."""
        report = self.cluster.directory / "content.json"
        print(self.run("content", "diff", "demo", "--output", str(report)).stdout, flush=True)
        differences = json.loads(report.read_text())["differences"]
        seen = [(each["dn"], each["odd"]) for each in differences]
        self.expect(f"{dn} differs on {server}, and nothing else does", seen, [(dn, [server])])

    def expect(self, claim: str, seen: object, expected: object) -> None:
        """Print whether the result of a step is as expected."""
        is_right = seen == expected
        self.failed += not is_right
        mark, actual = ("✓", "") if is_right else ("✗", f"; actual: {seen}")
        print(f"{mark} {claim}{actual}", flush=True)


def show_one_shot(demo: Demo) -> None:
    """Show faults and recovery with the one-shot command."""
    cluster = demo.cluster
    announce("making the canary entries that `ldaphealth canary plan` prints")
    demo.make_canaries()
    announce("no faults")
    demo.show({})
    announce(
        "ldap2 is frozen (SIGSTOP: it still accepts connections); ldap3 no longer receives changes"
    )
    cluster.nodes[2].cut_replication()
    cluster.nodes[1].freeze()
    cluster.nodes[0].write()  # before the first change after the cut no server can be behind
    with steady_writes(cluster.nodes[0], pause_seconds=0.1):
        demo.show({"demo/ldap2": ["bind.timeout"], "demo/ldap3": ["replication.behind"]})
        demo.keepalived("demo/ldap2", 1)
        demo.keepalived("demo/ldap1", 0)
    announce("healing both")
    cluster.heal()
    demo.show({})


def show_agent(demo: Demo) -> None:
    """Show the agent, its overrides, and the readers of its verdicts."""
    announce("the agent: it keeps state, and keepalived's script only reads its files")
    with demo.agent():
        demo.cluster.nodes[1].freeze()
        frozen_at = time.monotonic()
        wait.until(lambda: demo.script("demo/ldap2") == 1, 10.0, "the agent missed it")
        late = time.monotonic() - frozen_at
        print(f"ldap2 was frozen; keepalived's script reports it after {late:.1f} s")
        print(demo.run("drain", "demo/ldap4", "--for", "1h", "--reason", "new kernel").stdout)
        print(demo.run("status").stdout, flush=True)
        demo.keepalived("demo/ldap4", 1)
        demo.health("demo/ldap2", 503)
        demo.health("demo/ldap1", 200)
        demo.run("undrain", "demo/ldap4")
        demo.cluster.heal()
        wait.until(lambda: demo.script("demo/ldap2") == 0, 10.0, "it does not come back")
        demo.keepalived("demo/ldap2", 0)


def show_content(demo: Demo) -> None:
    """Show a difference that contextCSN does not reveal."""
    node, dn = demo.cluster.nodes[2], person(5)
    announce(f"{dn} is changed on ldap3 while its slapd is stopped, with slapmodify")
    node.stop()
    node.tool("modify", "-b", SUFFIX, ldif=f"dn: {dn}\nchangetype: modify\n{CHANGE}\n\n")
    node.start()
    demo.cluster.heal()
    positions = {each.context_csn() for each in demo.cluster.nodes}
    demo.expect("all servers have the same contextCSN", len(positions), 1)
    demo.content(dn, "demo/ldap3")


def announce(text: str) -> None:
    """Print the next step, with the seconds since the start."""
    print(f"\n[{time.monotonic() - STARTED:4.1f} s] {text}", flush=True)


def main() -> int:
    """Run the demo and clean up; return the exit status."""
    announce("starting four slapd nodes that replicate to each other")
    with Cluster() as cluster:
        pids = cluster.pids()
        demo = Demo(cluster)
        show_one_shot(demo)
        show_agent(demo)
        show_content(demo)
        pids |= cluster.pids()
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    demo.expect("no process and no file is left", (alive, cluster.directory.exists()), ([], False))
    announce("done" if not demo.failed else f"{demo.failed} steps failed")
    return 1 if demo.failed else 0


STARTED = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
