"""A small HTTP server that sends a page as the agent does, on a port of its own on loopback.

The tests of the page in a browser start it; it can be away, and say something else, at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from demo.ports import reserve
from ldaphealth.page import page

HOST = "127.0.0.1"


class Site:
    """Serves what `text` returns while the block lasts; `away` and `come_back` in between."""

    def __init__(self, text: Callable[[], str], headers: Mapping[str, str] = page.HEADERS) -> None:
        self.text, self.headers = text, headers
        self.status = 200
        self.requests = 0  # number of requests for the page
        self._reservation = reserve(1, (HOST,))
        self.port = self._reservation.ports[0]
        self._server: ThreadingHTTPServer | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Return where the page is."""
        return f"http://{HOST}:{self.port}/"

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.away()
        self._reservation.release()

    def come_back(self) -> None:
        """Answer from now on."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            """Answers `GET /` and nothing else."""

            def do_GET(self) -> None:
                if self.path.partition("?")[0] != "/":
                    self.send_error(404)
                    return
                site.requests += 1
                body = site.text().encode()
                self.send_response(site.status)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name
                """Be silent."""

        self._server = ThreadingHTTPServer((HOST, self.port), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def away(self) -> None:
        """Refuse connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)
            self._server = None
