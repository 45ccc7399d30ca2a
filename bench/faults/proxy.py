"""A TCP proxy before one server, which breaks connections in the ways that networks and servers do.

`bench/faults/site.py` has one before each node; all of them run in one thread with an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

from bench.faults import messages

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
LONG_DN = f"cn={'again' * 200}"
COMMAND_SECONDS = 5.0
LINGER_NOT = struct.pack("ii", 1, 0)  # SO_LINGER of socket(7): close sends a reset
Send = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Connection:
    """A client that has connected, and the port of the server that it wants."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server_port: int
    dice: random.Random

    def reset(self) -> None:
        """Answer with a reset (RST)."""
        peer: socket.socket = self.writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.writer.transport.abort()

    async def pipe(self, requests: Send, answers: Send) -> None:
        """Forward both ways until either side ends."""
        reader, writer = await asyncio.open_connection(HOST, self.server_port)
        try:
            both = [
                asyncio.ensure_future(_pump(self.reader, writer, requests)),
                asyncio.ensure_future(_pump(reader, self.writer, answers)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in both:
                    each.cancel()
        finally:
            writer.close()


Behaviour = Callable[[Connection], Coroutine[Any, Any, None]]
Choice = Callable[[random.Random], bool]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK_BYTES):
            await send(chunk, writer)
            await writer.drain()


async def as_it_is(chunk: bytes, writer: asyncio.StreamWriter) -> None:
    """Send what came."""
    writer.write(chunk)


async def forward(connection: Connection) -> None:
    """Do what the server does."""
    await connection.pipe(as_it_is, as_it_is)


async def freeze(connection: Connection) -> None:
    """Accept the connection and send nothing."""
    while await connection.reader.read(CHUNK_BYTES):
        pass
    await asyncio.Event().wait()


async def reset(connection: Connection) -> None:
    """Break the connection with a reset."""
    connection.reset()


async def close(_: Connection) -> None:
    """Close the connection at once, in order."""


def answer_with(answer: bytes) -> Behaviour:
    """Answer each request with the same bytes."""

    async def behave(connection: Connection) -> None:
        while await connection.reader.read(CHUNK_BYTES):
            connection.writer.write(answer)
            await connection.writer.drain()

    return behave


def late(seconds: Callable[[], float]) -> Behaviour:
    """Send each answer so many seconds late, as many as it is then."""

    async def send(chunk: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds())
        writer.write(chunk)

    async def behave(connection: Connection) -> None:
        await connection.pipe(as_it_is, send)

    return behave


def drip(pause_seconds: float) -> Behaviour:
    """Send one byte at a time."""

    async def send(chunk: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in chunk:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    async def behave(connection: Connection) -> None:
        await connection.pipe(as_it_is, send)

    return behave


def only_bytes(count: int, then: Behaviour) -> Behaviour:
    """Let so many bytes of the server's answers through; what then happens to the connection."""

    async def behave(connection: Connection) -> None:
        left = count
        done = asyncio.Event()

        async def send(chunk: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal left
            writer.write(chunk[:left])
            left -= len(chunk[:left])
            if not left:
                await writer.drain()
                done.set()
                await asyncio.Event().wait()

        async with asyncio.TaskGroup() as group:
            pipe = group.create_task(connection.pipe(as_it_is, send))
            waiter = group.create_task(done.wait())
            await asyncio.wait([pipe, waiter], return_when=asyncio.FIRST_COMPLETED)
            pipe.cancel()
            waiter.cancel()
        if done.is_set():
            await then(connection)

    return behave


def chance(part: float) -> Choice:
    """Choose a part of all, by chance."""
    return lambda dice: dice.random() < part


def every(count: int) -> Choice:
    """Choose every second one, every third one, and so on; not the first one."""
    numbers = itertools.count(1)
    return lambda _: next(numbers) % count == 0


def some(choice: Choice, of: Behaviour) -> Behaviour:
    """Do this to the connections that are chosen, and nothing to the others."""

    async def behave(connection: Connection) -> None:
        await (of if choice(connection.dice) else forward)(connection)

    return behave


def searches(
    choice: Choice, answer: Callable[[bytes], bytes], *, endless: bool = False
) -> Behaviour:
    """Answer chosen searches in place of the server; `answer` gets the message ID."""

    async def behave(connection: Connection) -> None:
        rest = b""

        async def requests(chunk: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal rest
            whole, rest = messages.split(rest + chunk)
            for request in whole:
                number, tag = messages.id_and_tag(request)
                if tag != messages.SEARCH_REQUEST or not choice(connection.dice):
                    writer.write(request)
                    continue
                connection.writer.write(answer(number))
                while endless:
                    connection.writer.write(answer(number))
                    await connection.writer.drain()
                    await asyncio.sleep(0.001)

        await connection.pipe(requests, as_it_is)

    return behave


def searches_end(choice: Choice, code: int) -> Behaviour:
    """End chosen searches with a result code."""
    return searches(choice, lambda number: messages.search_done(number, code))


def endless_search() -> Behaviour:
    """Send entries without an end."""
    return searches(every(1), lambda number: messages.search_entry(number, LONG_DN), endless=True)


@dataclass
class Proxy:
    """Listens on `port` in the event loop's thread; `behaviour` holds for new connections."""

    port: int
    server_port: int
    dice: random.Random
    behaviour: Behaviour = forward
    _listener: asyncio.Server | None = None
    _full: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Take connections."""
        self._full.close()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._connected, HOST, self.port)

    async def refuse(self) -> None:
        """Listen no more: the kernel refuses connections; those that are open break."""
        self._full.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.break_open()

    async def drop(self) -> None:
        """Let connects be answered by nothing: the queue of the listener is full (listen(2))."""
        await self.refuse()
        full = self._full.enter_context(socket.create_server((HOST, self.port), backlog=0))
        del full
        for _ in range(4):
            waiting = self._full.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((HOST, self.port))

    def break_open(self) -> None:
        """Break the connections that are open."""
        for writer in self._open:
            writer.transport.abort()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def closed(_: asyncio.Task[None]) -> None:
            del self._open[writer]
            writer.close()

        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open[writer] = task
        task.add_done_callback(closed)  # also of a task that was cancelled before it began

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled is what `Proxies` does at its end; asyncio would print a traceback of it.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self.behaviour(Connection(reader, writer, self.server_port, self.dice))


class Proxies:
    """The proxies of a cluster, in order of its servers; a context manager runs their thread."""

    def __init__(self, ports: list[tuple[int, int]], seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 (chance, no secret)
        self.each = [Proxy(port, server_port, dice) for port, server_port in ports]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies")

    def __enter__(self) -> Self:
        self._thread.start()
        for proxy in self.each:
            self.run(proxy.listen())
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self.each:
            self.run(proxy.refuse())
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, command: Coroutine[Any, Any, None]) -> None:
        """Have the event loop do something, and wait until it is done."""
        asyncio.run_coroutine_threadsafe(command, self._loop).result(COMMAND_SECONDS)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
