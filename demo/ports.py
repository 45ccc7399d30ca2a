"""Ports for servers on loopback that no other run on this machine uses at the same time.

`demo/cluster.py` reserves ports before it writes the configuration of its nodes.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOWEST_PORT = 10_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True)
class Reservation:
    """Ports that this process holds until `release`, or until it ends for any reason."""

    ports: tuple[int, ...]
    _claims: tuple[socket.socket, ...]

    def release(self) -> None:
        """Release the ports."""
        for claim in self._claims:
            claim.close()


def reserve(
    count: int, hosts: tuple[str, ...], candidates: Sequence[int] | None = None
) -> Reservation:
    """Reserve the first `count` ports that are free on all of `hosts`.

    To bind, close and pass on the number is not enough: a node that a test has killed leaves its
    port free, and if the slapd of another run took it, the two clusters would replicate into
    each other. So a port is also claimed by a socket in the abstract namespace (unix(7)), which
    has the scope of the port (the network namespace), leaves no file, and ends with the process.

    Raises OSError if there are not enough free ports.
    """
    claimed: dict[int, socket.socket] = {}
    for port in _candidates() if candidates is None else candidates:
        if len(claimed) == count:
            break
        claim = _claim(port)
        if claim is None:
            continue
        if all(_is_free(host, port) for host in hosts):
            claimed[port] = claim
        else:
            claim.close()
    reservation = Reservation(tuple(claimed), tuple(claimed.values()))
    if len(claimed) < count:
        reservation.release()
        raise OSError(f"only {len(claimed)} of {count} ports are free")
    return reservation


def reserve_row(count: int, hosts: tuple[str, ...]) -> Reservation:
    """Reserve so many ports that follow each other. OSError: there are none."""
    for first in _candidates():
        with contextlib.suppress(OSError):
            return reserve(count, hosts, range(first, first + count))
    raise OSError(f"no {count} ports that follow each other are free")


def has_ipv6() -> bool:
    """Return whether this machine has the IPv6 loopback address."""
    return _is_free("::1", 0)


def _candidates() -> list[int]:
    # An outgoing connection may use any port of the ephemeral range, so stay below it.
    highest = min(32_768, int(EPHEMERAL_RANGE.read_text().split()[0]))
    ports = list(range(LOWEST_PORT, highest))
    random.SystemRandom().shuffle(ports)
    return ports


def _claim(port: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0ldaphealth/port/{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family) as probe:
        # As slapd does: connections in TIME_WAIT do not prevent the bind.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False
