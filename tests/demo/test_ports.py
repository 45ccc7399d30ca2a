"""Ports stay ours while we live, and are those that no outgoing connection takes."""

from __future__ import annotations

import socket

import pytest

from demo.ports import EPHEMERAL_RANGE, reserve

LOOPBACK = ("127.0.0.1",)


def test_a_reserved_port_is_not_reserved_again_though_nobody_listens_on_it_yet() -> None:
    first = reserve(2, LOOPBACK)
    with pytest.raises(OSError, match="only 0 of 1 ports are free"):
        reserve(1, LOOPBACK, first.ports)

    first.release()
    again = reserve(2, LOOPBACK, first.ports)
    assert again.ports == first.ports
    again.release()


def test_a_port_on_which_somebody_listens_is_not_reserved() -> None:
    reservation = reserve(2, LOOPBACK)
    reservation.release()
    taken, free = reservation.ports

    with socket.create_server(("127.0.0.1", taken)):
        found = reserve(1, LOOPBACK, (taken, free))
    assert found.ports == (free,)
    found.release()


def test_reserved_ports_lie_below_the_range_of_outgoing_connections() -> None:
    reservation = reserve(200, LOOPBACK)

    assert len(set(reservation.ports)) == 200
    assert max(reservation.ports) < int(EPHEMERAL_RANGE.read_text().split()[0])
    reservation.release()
