"""Logging of the daemon: lines for people on a terminal, lines of JSON for programs; never a secret."""

import io
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from whoplays.stream.common.terminal import printable
from whoplays.stream.common.uri import clean


def configure(json: bool | None = None) -> None:
    """Set up how this process logs, on standard error.

    Args:
        json: lines of JSON, or coloured ones for people; None: for people if standard error is a terminal.
    """
    if json is None:
        json = not sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Before the secrets are removed: an exception may hold some as well.
            structlog.processors.format_exc_info,
            remove_secrets,
            *(() if json else (_make_printable,)),
            _renderer(json=json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Sink())),
        cache_logger_on_first_use=False,
    )


class _Sink(io.TextIOBase):
    """Standard error; a line that cannot be written is dropped, as on a full disk or when nobody reads."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def log(**context: object) -> FilteringBoundLogger:
    """A logger whose every line carries a context, such as `stream="hall"`."""
    logger: FilteringBoundLogger = structlog.get_logger(**context)
    return logger


def remove_secrets(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Remove user, password and other secrets from every address in a line, however deep, and from exceptions."""
    return {name: _clean(value) for name, value in line.items()}


def _clean(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {clean(str(name)): _clean(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(each) for each in value]
        case _:
            return clean(str(value))


def _make_printable(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Let no text of others control a terminal; the lines of a traceback stay lines."""
    return {
        name: "\n".join(map(printable, value.split("\n"))) if name == "exception" else _printable(value)
        for name, value in line.items()
    }


def _printable(value: object) -> object:
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return printable(value) if isinstance(value, str) else value


def _renderer(*, json: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
