"""A Prometheus on loopback, queried by its HTTP API; it ends with the test that started it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from demo.programs import find
from demo.running_program import RunningProgram

START_SECONDS = 20.0


def program(name: str) -> Path:
    """Return the path of a program of the Debian package prometheus."""
    return find(name, "prometheus")


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
    """Return the status, the Content-Type and the body."""
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


@dataclass
class Prometheus:
    """One server with its data in `directory`, on a port that the caller has reserved."""

    config: Path
    directory: Path
    port: int
    running: RunningProgram = field(init=False)

    def __enter__(self) -> Self:
        command: list[str | Path] = [
            program("prometheus"),
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        self.running = RunningProgram(command, self.directory / "prometheus.log")
        self.running.start(self._is_ready, START_SECONDS, "Prometheus is not ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()

    def log(self) -> str:
        """Return what it has logged: warnings and worse."""
        return self.running.log()

    def api(self, path: str, **query: str) -> Any:
        """Return the data of an answer of https://prometheus.io/docs/prometheus/latest/querying/api/."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        return json.loads(get(url)[2])["data"]

    def query(self, expression: str) -> dict[str, float]:
        """Return the values of an instant vector by the label `server`, or else `instance`."""
        found = self.api("query", query=expression)["result"]
        return {
            each["metric"].get("server") or each["metric"].get("instance", ""): float(
                each["value"][1]
            )
            for each in found
        }

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, each with its server."""
        return {
            (each["labels"]["alertname"], each["labels"].get("server", ""))
            for each in self.api("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def _is_ready(self) -> bool:
        try:
            return get(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200
        except OSError:
            return False
