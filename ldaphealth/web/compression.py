"""Large responses in gzip, for clients that accept it (RFC 9110 12.5.3); Prometheus always does.

starlette's middleware would compress in the event loop or in threads of its own, as many as there
are requests, and also for a client that forbids it (`gzip;q=0`).
"""

from __future__ import annotations

import zlib

from starlette.requests import Request
from starlette.responses import Response

LEAST_BYTES = 1024  # smaller ones fit in a packet
LEVEL = 1  # level 6 takes three times as long for 20 % less (bench/scrape.py)
GZIP_FORMAT = 31  # `wbits` of zlib: a window of 32 KiB, and the header and trailer of gzip
FORBIDDEN = frozenset({"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"})


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header names gzip and does not forbid it."""
    for each in accept_encoding.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in FORBIDDEN
    return False


def compressed(response: Response, request: Request) -> Response:
    """Return a response that is complete, in gzip if it is large and the client accepts it."""
    response.headers.add_vary_header("Accept-Encoding")
    accepted = ",".join(request.headers.getlist("accept-encoding"))
    if len(response.body) >= LEAST_BYTES and accepts_gzip(accepted):
        response.body = zlib.compress(response.body, LEVEL, GZIP_FORMAT)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    return response
