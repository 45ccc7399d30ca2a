"""The LDAP message layer of one connection (RFC 4511 5): requests, and the responses to each.

session.py is the only caller. Requests that do not depend on each other are sent as one flight, and
the server may answer them in any order. Any other request is alone on the connection: it is sent
when none is outstanding, so that its time is its own. A bind and StartTLS must be alone anyway
(4.2.1, 4.14.1), and what reads the counters of the server must not count what is not yet done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds, RunningSeconds, whole_microseconds
from ldaphealth.ldap import ber, codec
from ldaphealth.ldap.codec import Response
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.transport import Transport
from ldaphealth.model import Failure, FailureKind
from ldaphealth.text.printable import printable
from ldaphealth.text.result_words import result_words

BETWEEN = (codec.ENTRY, codec.REFERENCE, codec.INTERMEDIATE)  # before the end of a search
LARGEST_MESSAGE_ID = 2**15 - 1  # two octets, RFC 4511 4.1.1.1; then they begin again
UNBIND = b"\x42\x00"  # [APPLICATION 2] NULL, RFC 4511 4.3

T = TypeVar("T")
U = TypeVar("U")


class EncodedRequest(Struct, frozen=True):
    """A protocolOp with its controls, and the type of its final response.

    `operation` is its name in the timings, `doing` are the words for it in a sentence.
    """

    operation: str
    octets: bytes
    final: int
    doing: str


class Outstanding(Struct):
    """A request that was sent, alone or in a flight, and the responses that nobody has taken yet.

    `sent_at` is when its flight was sent, `sent_monotonic` the same moment on the other clock.
    `answered_at` is when its final response was received, None before.
    """

    request: EncodedRequest
    sent_at: RunningSeconds
    sent_monotonic: MonotonicSeconds
    kept: deque[Response]
    answered_at: RunningSeconds | None = None


class MessageLayer:
    """The requests and responses of one connection. SessionError.

    `planned` has the flights that may be sent, by each of their requests, in the order in which
    they must be sent; one that is sent is taken out. `counts` gets the number of operations that
    were answered. `has_answer`: the server has sent an LDAP response.
    """

    def __init__(
        self,
        transport: Transport,
        planned: dict[bytes, Sequence[EncodedRequest]],
        counts: dict[str, int],
    ) -> None:
        self.transport = transport
        self.has_answer = False
        self._planned, self._counts = planned, counts
        self._message_id = 0
        self._outstanding: dict[int, Outstanding] = {}
        self._travelling: dict[bytes, Outstanding] = {}  # in flight, and nobody has asked for it

    def request(self, wanted: EncodedRequest) -> Outstanding:
        """Return the request as it is in flight; else send it.

        One that is planned is sent with its flight, and after the flights before that. What was
        asked for once is sent again when it is asked for again.
        """
        while wanted.octets in self._planned:
            flight = next(iter(self._planned.values()))
            for each in flight:
                self._planned.pop(each.octets, None)
            self._send(flight, wanted.doing)
        if wanted.octets not in self._travelling:
            self._send((wanted,), wanted.doing)
        return self._travelling.pop(wanted.octets)

    def response(self, sent: Outstanding) -> Response:
        """Return the next response to a request, which has not had its final one.

        Responses to other requests are kept meanwhile, within the byte budget of the session.
        """
        while not sent.kept:
            self._receive(sent.request.doing)
        return sent.kept.popleft()

    def send_unbind(self) -> None:
        """Send the last message, which has no response and ends what is outstanding (4.3)."""
        self.transport.send(self._envelope(UNBIND), "unbind")

    def _settle(self) -> None:
        """Wait until nothing is outstanding: for the rest of a flight that nobody asked for."""
        while self._outstanding:
            self._receive(next(iter(self._outstanding.values())).request.doing)

    def _send(self, flight: Sequence[EncodedRequest], doing: str) -> None:
        """Send requests together, when nothing is outstanding."""
        self._settle()
        sent_at, sent_monotonic = self.transport.deadline.now(), whole_microseconds(monotonic())
        messages = []
        for each in flight:
            messages.append(self._envelope(each.octets))
            sent = Outstanding(each, sent_at, sent_monotonic, deque())
            self._outstanding[self._message_id] = self._travelling[each.octets] = sent
        self.transport.send(b"".join(messages), doing)

    def _envelope(self, octets: bytes) -> bytes:
        """Wrap a request into an LDAPMessage with the next message ID (RFC 4511 4.1.1)."""
        self._message_id = self._message_id % LARGEST_MESSAGE_ID + 1
        body = b"\x02\x02" + self._message_id.to_bytes(2, "big") + octets
        return ber.element(ber.SEQUENCE, body)

    def _receive(self, doing: str) -> None:
        """Receive one message, and keep it for the request that it answers."""
        transport = self.transport
        response = decoded(codec.response, transport.receive(doing))
        if response.message_id == 0 and response.tag == codec.EXTENDED:
            raise _disconnected(response)
        sent = self._outstanding.get(response.message_id)
        if sent is None:
            detail = f"unexpected message ID {response.message_id} in a response"
            raise SessionError(Failure(FailureKind.PROTOCOL, detail))
        self.has_answer = True
        request = sent.request
        if response.tag == request.final:
            sent.answered_at = transport.received_at
            del self._outstanding[response.message_id]
            operation = request.operation
            self._counts[operation] = self._counts.get(operation, 0) + 1
        elif request.final != codec.DONE or response.tag not in BETWEEN:
            detail = f"unexpected type of response to {request.operation}"
            raise SessionError(Failure(FailureKind.PROTOCOL, detail))
        sent.kept.append(response)


def decoded(decode: Callable[[U], T], received: U) -> T:
    """Decode a part of a response; SessionError if it is malformed."""
    try:
        return decode(received)
    except ValueError as error:
        detail = f"what the server sent is not LDAP: {printable(str(error))}"
        raise SessionError(Failure(FailureKind.PROTOCOL, detail)) from error


def _disconnected(response: Response) -> SessionError:
    """Return the error for a Notice of Disconnection (RFC 4511 4.4.1)."""
    try:
        name = codec.result(response.payload).code_name
    except ValueError:
        name = ""
    why = f"{result_words(name)} ({name})" if name else "no reason given"
    detail = f"the server closed the session: {why}"
    return SessionError(Failure(FailureKind.CONNECT, detail, name))
