"""The checkers that are compared, each as it is used: by a balancer, at the same interval.

Each notes when it takes a server out and when it takes it back; `bench/faults/trial.py` runs them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bench.cpu import CHECK_LDAP
from bench.faults.evidence import tls_environment
from bench.faults.proxy import HOST
from bench.faults.scoring import SERVERS, Change
from bench.faults.site import Site
from demo.programs import find
from demo.running_program import RunningProgram
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, PEOPLE_COUNT, SUFFIX, person

PROGRAM = (sys.executable, "-m", "ldaphealth")
FALL, RISE = 3, 2
WATCH_SECONDS = 0.05
START_SECONDS = 30.0
OUT = "1"

# The settings of the agents besides the servers, the account, TLS and the interval.
CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "agent": {},
    "agent, stricter": {
        "checks": {
            "search": {
                "base": PEOPLE,
                "scope": "one",
                "entries": {"critical": f"{PEOPLE_COUNT}:"},
            },
            "compare": {"dn": person(1), "attribute": "sn", "value": "1", "effect": "out"},
            "write": {"container": CANARIES, "agent": "stricter"},
            "propagation": {
                "container": CANARIES,
                "agent": "stricter",
                "interval_seconds": 4,
                "lost_seconds": 4,
            },
            "replication": {"behind": {"warning": 2, "critical": 4}},
            "content": {"cover_hours": 0.01, "values": True, "effect": "out"},
            "entry_count": {"effect": "out"},
        }
    },
}


class Watcher:
    """Notes each change of a side; every server is in service at first."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.in_service = dict.fromkeys(SERVERS, True)

    def see(self, server: int, *, in_service: bool, text: str = "") -> None:
        """Note it if it is a change."""
        if self.in_service[server] != in_service:
            self.in_service[server] = in_service
            self.changes.append(Change(time.monotonic(), server, in_service, text))


class Polling(Watcher):
    """Probes each server once an interval and counts, as keepalived and HAProxy do.

    FALL failures in a row take a server out, RISE successes take it back. A probe that takes longer
    than the interval has failed, which is what keepalived does where `misc_timeout` is not set.
    """

    def __init__(self, probe: Callable[[int], bool], interval_seconds: float, seed: int) -> None:
        super().__init__()
        self._probe = probe
        self._interval_seconds = interval_seconds
        self._dice = random.Random(seed)  # noqa: S311 (chance, no secret)
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(server, self._dice.random()))
            for server in SERVERS
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, server: int, phase: float) -> None:
        due = time.monotonic() + phase * self._interval_seconds
        row = 0
        good_before = True
        while not self._done.wait(max(0.0, due - time.monotonic())):
            good = self._probe(server)
            row = row + 1 if good == good_before else 1
            good_before = good
            if row >= (RISE if good else FALL):
                self.see(server, in_service=good)
            due = max(due + self._interval_seconds, time.monotonic())


def tcp_connect(site: Site, timeout_seconds: float) -> Callable[[int], bool]:
    """Return a probe that connects and closes, as TCP_CHECK of keepalived does."""

    def probe(server: int) -> bool:
        with contextlib.suppress(OSError):
            address = (HOST, site.ports[server - 1])
            with socket.create_connection(address, timeout_seconds):
                return True
        return False

    return probe


def check_ldap(site: Site, timeout_seconds: float) -> Callable[[int], bool]:
    """Return a probe with check_ldap of monitoring-plugins.

    It binds as the check account and counts the people and the entry above them, because it counts
    the whole subtree; so it finds an empty directory too.
    """
    secure = ("-T",) if site.shape.tls else ()
    environment = tls_environment(site) if site.shape.tls else {"LDAPNOINIT": "1"}
    environment |= {"PATH": os.defpath, "LDAP_PASSWORD": CHECK_PASSWORD}

    def probe(server: int) -> bool:
        address = ("-H", HOST, "-p", str(site.ports[server - 1]))
        wanted = ("-b", PEOPLE, "-C", f"{PEOPLE_COUNT + 1}:", "-D", CHECK_DN, "-3", *secure)
        limit = ("-t", str(max(1, round(timeout_seconds))))
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                [CHECK_LDAP, *address, *wanted, *limit],
                env=environment,
                capture_output=True,
                check=False,
                timeout=timeout_seconds + 0.5,
            )
            return done.returncode == 0
        return False

    return probe


class Agent(Watcher):
    """One `ldaphealth agent` with directories of its own, read as keepalived's script reads it."""

    def __init__(self, directory: Path, document: Mapping[str, Any]) -> None:
        """`document` is its configuration, whose directories are `run` and `state` in it."""
        super().__init__()
        self._directory = directory
        self._verdicts = directory / "run" / "verdicts" / "c"
        self._config = directory / "ldaphealth.yaml"
        directory.mkdir()
        self._config.write_text(json.dumps(document))
        environment = os.environ | {
            "LDAPHEALTH_CONFIG": str(self._config),
            "LDAPHEALTH_SOCKET": str(directory / "run" / "agent.sock"),
        }
        self._environment = environment
        # The agent ends with this process, however that ends (prctl(2), PR_SET_PDEATHSIG).
        command = (find("setpriv"), "--pdeathsig", "KILL", *PROGRAM, "agent")
        self._program = RunningProgram(command, directory / "log", environment)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="verdicts")

    def __enter__(self) -> Self:
        self._program.start(self._is_ready, START_SECONDS, "the agent has no verdicts")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._program.stop()

    def reasons(self) -> dict[int, str]:
        """Return the state of each server that is not OK, with its reasons."""
        document = json.loads(self.command("status", "--format", "json") or "{}")
        return {
            _number(verdict["server"]): " ".join(
                [verdict["state"], *(reason["code"] for reason in verdict["reasons"])]
            )
            for verdict in document.get("verdicts", ())
            if verdict["state"] != "OK"
        }

    def health(self) -> dict[str, Any]:
        """Return the numbers of the agent itself; docs/status.schema.json describes them."""
        found: dict[str, Any] = json.loads(self.command("status", "--format", "json"))["agent"]
        return found

    def command(self, *arguments: str) -> str:
        """Run a command of ldaphealth with its configuration, and return what it prints."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        ).stdout

    def _watch(self) -> None:
        while not self._done.wait(WATCH_SECONDS):
            for server in SERVERS:
                fields = self._line(server)
                if fields:
                    self.see(server, in_service=fields[1] != OUT, text=" ".join(fields[5:]))

    def _is_ready(self) -> bool:
        return all(self._line(server) for server in SERVERS)

    def _line(self, server: int) -> list[str]:
        """Return the fields of docs/keepalived-contract.md, or none if there is no file yet."""
        with contextlib.suppress(FileNotFoundError):
            return (self._verdicts / f"ldap{server}").read_text().split()
        return []


def configuration(
    site: Site, directory: Path, settings: Mapping[str, Any], interval_seconds: float
) -> dict[str, Any]:
    """Return the configuration file of an agent."""
    cluster: dict[str, Any] = {
        "suffix": SUFFIX,
        "credentials": "probe",
        "interval_seconds": interval_seconds,
        "servers": {
            f"ldap{server}": {
                "uri": site.uri(server),
                "role": "consumer" if server in site.shape.consumers else "provider",
            }
            for server in SERVERS
        },
        **settings,
    }
    if site.shape.tls:
        cluster["tls"] = {"start_tls": True, "ca_file": str(site.cluster.ca_file)}
    if site.client_certificate:
        chain, key = site.client_certificate
        cluster["tls"] |= {"certificate_file": str(chain), "key_file": str(key)}
    password_file = site.cluster.accounts.check.password_file
    return {
        "agent": {
            "runtime_directory": str(directory / "run"),
            "state_directory": str(directory / "state"),
        },
        "credentials": {"probe": {"dn": CHECK_DN, "password_file": str(password_file)}},
        "clusters": {"c": cluster},
    }


def apply_canaries(site: Site, directory: Path, names: Sequence[str]) -> None:
    """Make the entries to which the agents of these configurations write."""
    for name in names:
        settings = CONFIGURATIONS[name]
        if "write" not in settings.get("checks", {}):
            continue
        config = directory / "canaries.yaml"
        config.write_text(json.dumps(configuration(site, directory, settings, 2.0)))
        done = subprocess.run(
            [*PROGRAM, "canary", "apply", "c", "--config", config],
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"canary apply: {done.stdout} {done.stderr}")
    site.cluster.wait_until_level()


def _number(server: str) -> int:
    return int(server.removeprefix("c/ldap"))
