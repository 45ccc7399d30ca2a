"""The log of the agent: one line for each event, key=value or JSON, on standard error."""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ldaphealth.agent.log_stream import LogStream
from ldaphealth.agent.repeated_lines import BoundedHandler
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    import structlog

log = logging.getLogger(__name__)

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
    with _without_rich():
        import structlog  # noqa: PLC0415

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
    stream = LogStream(sys.stderr)
    atexit.register(stream.close)
    handler = BoundedHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


@contextlib.contextmanager
def _without_rich() -> Iterator[None]:
    """Have structlog load without rich, which it uses for tracebacks in colour: 5 MiB of memory."""
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        yield
    finally:
        del sys.modules["rich"]


def write_counts(*, everything: bool = False) -> None:
    """Write how often trouble was repeated: in minutes that have ended, or `everything`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, BoundedHandler):
            handler.write_counts(everything=everything)
            lost = handler.stream.take_lost() if isinstance(handler.stream, LogStream) else 0
            if lost:
                log.error("log lines were lost: standard error was blocked", extra={"lines": lost})
