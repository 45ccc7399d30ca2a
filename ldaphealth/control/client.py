"""Asking a running agent; light, because people and programs ask often."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from ldaphealth.control.requests import MAX_ANSWER_BYTES, ControlRequest, ControlResponse

PATIENCE_SECONDS = 10.0
CHUNK_BYTES = 65536


class AgentError(Exception):
    """No answer, or one that says why not; one line for people."""


class NoAgentError(AgentError):
    """Nobody is there to answer."""


def ask(path: Path, request: ControlRequest, patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """Return the document that answers; AgentError when there is none, or none in time."""
    try:
        answer = msgspec.json.decode(
            _exchange(path, request, patience_seconds), type=ControlResponse
        )
    except FileNotFoundError as error:
        raise NoAgentError(f"no agent runs here: there is no {path}") from error
    except ConnectionRefusedError as error:
        raise NoAgentError(f"no agent runs here: nobody listens on {path}") from error
    except PermissionError as error:
        raise AgentError(f"{path}: only the agent's group may ask it") from error
    except TimeoutError as error:
        raise AgentError(f"{path}: no answer in time") from error
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise AgentError(f"not text: {error.object!a}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AgentError(f"{path}: what answers is no agent: {error}") from error
    if answer.error:
        raise AgentError(answer.error)
    return answer.document


def _exchange(path: Path, request: ControlRequest, patience_seconds: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience_seconds)
        connection.connect(str(path))
        connection.sendall(msgspec.json.encode(request) + b"\n")
        received = bytearray()
        while not received.endswith(b"\n") and len(received) < MAX_ANSWER_BYTES:
            chunk = connection.recv(CHUNK_BYTES)
            if not chunk:
                break
            received += chunk
        return bytes(received)
