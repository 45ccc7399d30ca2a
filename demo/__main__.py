"""`make demo`: four real slapd nodes, their faults, the verdicts, and everything healed again.

Every step checks what it shows; the exit status is 0 only if all of them showed what they must.
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


class Story:
    """The steps, each said before it is done; `failed` counts those that showed something else."""

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
        """Run ldaphealth on the demo's configuration; its complaints go to the terminal."""
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
        """Return where the program and the script find what belongs to this demo."""
        directory = self.cluster.directory
        return os.environ | {
            "LDAPHEALTH": str(PROGRAM),
            "LDAPHEALTH_CONFIG": str(self.config),
            "LDAPHEALTH_SOCKET": f"{directory}/run/agent.sock",
            "LDAPHEALTH_VERDICTS": f"{directory}/run/verdicts",
        }

    @contextmanager
    def agent(self) -> Iterator[None]:
        """Run the agent meanwhile."""
        print("$ ldaphealth agent &", flush=True)
        log = self.cluster.directory / "agent.log"
        with RunningProgram([PROGRAM, "agent"], log, self.environment, stop_seconds=5.0) as agent:
            agent.wait_until_ready(
                lambda: self.script("demo/ldap4") == 0, 10.0, "the agent says nothing"
            )
            yield
        if agent.status == -signal.SIGKILL:
            raise TimeoutError(f"the agent does not end: {agent.log_tail()}")

    def script(self, server: str) -> int:
        """Return the exit status of the script that keepalived runs, and keep its words."""
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
        """Run the check for people and for programs; compare who is out, and for which reasons."""
        print(self.run("check").stdout, flush=True)
        verdicts = json.loads(self.run("check", "--format", "json").stdout)["verdicts"]
        seen = {
            verdict["server"]: [r["code"] for r in verdict["reasons"] if r["effect"] == "out"]
            for verdict in verdicts
            if not verdict["in_service"]
        }
        self.expect(f"out of service: {', '.join(expected) or 'nobody'}", seen, expected)

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
        """Ask the agent by HTTP, as Consul or a cloud balancer does."""
        path = f"/health/{server}"
        print(f"GET http://127.0.0.1:{self.http_port}{path}", flush=True)
        with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=5.0)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            print(answer.read().decode().strip(), flush=True)
        self.expect(f"HTTP has status {expected} for {server}", answer.status, expected)

    def content(self, dn: str, server: str) -> None:
        """Compare all entries; only one may differ, on one server."""
        report = self.cluster.directory / "content.json"
        print(self.run("content", "diff", "demo", "--output", str(report)).stdout, flush=True)
        differences = json.loads(report.read_text())["differences"]
        seen = [(each["dn"], each["odd"]) for each in differences]
        self.expect(f"{dn} differs on {server}, and nothing else does", seen, [(dn, [server])])

    def expect(self, claim: str, seen: object, expected: object) -> None:
        """Say whether a step showed what it must."""
        right = seen == expected
        self.failed += not right
        mark, truth = ("✓", "") if right else ("✗", f"; but: {seen}")
        print(f"{mark} {claim}{truth}", flush=True)


def render(story: Story) -> None:
    """Play the story."""
    cluster = story.cluster
    say("making the canary entries that `ldaphealth canary plan` prints")
    story.make_canaries()
    say("all is well")
    story.show({})
    say("ldap2 is frozen (SIGSTOP: its port still opens); ldap3 receives no changes any more")
    cluster.nodes[2].cut_replication()
    cluster.nodes[1].freeze()
    cluster.nodes[0].write()  # before the first change after the cut nobody can be behind
    with steady_writes(cluster.nodes[0], pause_seconds=0.1):
        story.show({"demo/ldap2": ["bind.timeout"], "demo/ldap3": ["replication.behind"]})
        story.keepalived("demo/ldap2", 1)
        story.keepalived("demo/ldap1", 0)
    say("healing both")
    cluster.heal()
    story.show({})


def tell_of_the_agent(story: Story) -> None:
    """Play what memory is good for."""
    say("the agent: it remembers, and keepalived's script only reads what it left")
    with story.agent():
        story.cluster.nodes[1].freeze()
        struck = time.monotonic()
        wait.until(lambda: story.script("demo/ldap2") == 1, 10.0, "the agent missed it")
        print(f"ldap2 was frozen; keepalived hears of it after {time.monotonic() - struck:.1f} s")
        print(story.run("drain", "demo/ldap4", "--for", "1h", "--reason", "new kernel").stdout)
        print(story.run("status").stdout, flush=True)
        story.keepalived("demo/ldap4", 1)
        story.health("demo/ldap2", 503)
        story.health("demo/ldap1", 200)
        story.run("undrain", "demo/ldap4")
        story.cluster.heal()
        wait.until(lambda: story.script("demo/ldap2") == 0, 10.0, "it does not come back")
        story.keepalived("demo/ldap2", 0)


def tell_of_content(story: Story) -> None:
    """Play what contextCSN cannot show."""
    node, dn = story.cluster.nodes[2], person(5)
    say(f"{dn} is changed on ldap3 while its slapd is stopped, with slapmodify")
    node.stop()
    node.tool("modify", "-b", SUFFIX, ldif=f"dn: {dn}\nchangetype: modify\n{CHANGE}\n\n")
    node.start()
    story.cluster.heal()
    positions = {each.context_csn() for each in story.cluster.nodes}
    story.expect("by their contextCSNs all servers are level", len(positions), 1)
    story.content(dn, "demo/ldap3")


def say(text: str) -> None:
    """Tell what comes next, with the seconds since the start."""
    print(f"\n[{time.monotonic() - STARTED:4.1f} s] {text}", flush=True)


def main() -> int:
    """Play the story and clean up; return the exit status."""
    say("starting four slapd nodes that replicate to each other")
    with Cluster() as cluster:
        pids = cluster.pids()
        story = Story(cluster)
        render(story)
        tell_of_the_agent(story)
        tell_of_content(story)
        pids |= cluster.pids()
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    story.expect("nothing is left behind", (alive, cluster.directory.exists()), ([], False))
    say("done" if not story.failed else f"{story.failed} steps failed")
    return 1 if story.failed else 0


STARTED = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
