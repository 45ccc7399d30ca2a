"""The log of the agent: one line for each event, key=value or JSON, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

from ldaphealth.agent.repeated_lines import BoundedHandler
from ldaphealth.text.printable import printable

MAX_CHARACTERS = 8000  # a traceback is one value
KEYS = ("timestamp", "level", "event", "server")


def _printable(
    _: structlog.typing.WrappedLogger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escape characters that move a cursor or end a line. JSON escapes them itself."""
    return {
        key: printable(value, MAX_CHARACTERS) if isinstance(value, str) else value
        for key, value in event.items()
    }


def configure(form: Literal["logfmt", "json"], level: int) -> None:
    """Write all records of `logging` to standard error in this form. A later call replaces it.

    The keys in `extra` of a record become keys of the line. Repeated trouble is one line a minute.
    """
    chain: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
    ]
    if form == "logfmt":
        chain.append(_printable)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=KEYS, drop_missing=True, bool_as_flag=False
        )
    )
    handler = BoundedHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def write_counts(*, everything: bool = False) -> None:
    """Write how often trouble was repeated: in minutes that have ended, or `everything`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, BoundedHandler):
            handler.write_counts(everything=everything)
