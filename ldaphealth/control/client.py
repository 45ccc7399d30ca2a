"""The client of the control socket. It imports little, because it is started often."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from ldaphealth.control.requests import MAX_ANSWER_BYTES, ControlRequest, ControlResponse
from ldaphealth.files.permission import refusal_cause

TIMEOUT_SECONDS = 10.0
CHUNK_BYTES = 65536


class AgentError(Exception):
    """There is no answer, or the agent refused. The message is one line with the reason."""


class NoAgentError(AgentError):
    """No agent listens on the socket."""


def send_request(
    path: Path, request: ControlRequest, timeout_seconds: float = TIMEOUT_SECONDS
) -> Any:
    """Send a request and return the document of the response. AgentError: none, or not in time."""
    try:
        answer = msgspec.json.decode(
            _exchange(path, request, timeout_seconds), type=ControlResponse
        )
    except FileNotFoundError as error:
        raise NoAgentError(f"no agent runs here: there is no {path}") from error
    except ConnectionRefusedError as error:
        raise NoAgentError(f"no agent runs here: no process listens on {path}") from error
    except PermissionError as error:
        raise AgentError(f"{path}: {refusal_cause(path, error, 'use')}") from error
    except TimeoutError as error:
        raise AgentError(f"{path}: no answer in time") from error
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise AgentError(f"not valid text: {error.object!a}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AgentError(f"{path}: the response is not from an agent: {error}") from error
    if answer.error:
        raise AgentError(answer.error)
    return answer.document


def _exchange(path: Path, request: ControlRequest, timeout_seconds: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_seconds)
        connection.connect(str(path))
        connection.sendall(msgspec.json.encode(request) + b"\n")
        received = bytearray()
        while not received.endswith(b"\n") and len(received) < MAX_ANSWER_BYTES:
            chunk = connection.recv(CHUNK_BYTES)
            if not chunk:
                break
            received += chunk
        return bytes(received)
