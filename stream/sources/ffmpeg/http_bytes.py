"""The bytes of a recording that an HTTP server has, at any offset where it lets one choose."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTP_PORT, HTTPS_PORT, HTTPException, HTTPResponse
from typing import Final, Self
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from whoplays.models.errors import SourceError
from whoplays.models.recordings.view import PipeBytes
from whoplays.stream.common.uri import host_and_port, redact
from whoplays.stream.sources.ffmpeg.demux import CLOSED
from whoplays.stream.sources.ffmpeg.proxy import EgressProxy, basic_credentials

TIMEOUT_S: Final = 15.0
STEP_BYTES: Final = 1 << 16
AHEAD_BYTES: Final = 1 << 20
"""What lies no further ahead is read up to, instead of asked for anew."""


@contextmanager
def http_response(url: str, proxy: EgressProxy, start: int = 0) -> Iterator[HTTPResponse]:
    """What a server answers, from a byte on if it can; each request goes through the proxy, also after a redirect.

    Raises:
        SourceError: it cannot be reached, or refuses.
    """
    parts = urlsplit(url)
    opener = request.OpenerDirector()
    for handler in (
        *(_Through(proxy.options["http_proxy"]), request.HTTPHandler(), request.HTTPSHandler()),
        *(request.HTTPRedirectHandler(), request.HTTPErrorProcessor(), request.HTTPDefaultErrorHandler()),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        port = parts.port or (HTTPS_PORT if parts.scheme.lower() == "https" else HTTP_PORT)
        address = parts._replace(netloc=host_and_port(parts.hostname or "", port), fragment="").geturl()
        headers = {"User-Agent": "whoplays", "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        asked = request.Request(address, headers=headers)  # noqa: S310  http(s) alone
        if parts.username is not None:
            asked.add_unredirected_header("Authorization", basic_credentials(parts))
        with opener.open(asked, timeout=TIMEOUT_S) as response:
            yield response
    except HTTPError as error:
        raise SourceError(f"{redact(url)} cannot be had: the server answers {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = proxy.problem or getattr(error, "reason", None) or error
        raise SourceError(f"{redact(url)} cannot be had: {reason}") from error


class _Through(request.BaseHandler):
    """Leads each request through a proxy."""

    handler_order = 100

    def __init__(self, proxy: str) -> None:
        self._place: Final = urlsplit(proxy).netloc

    def http_open(self, asked: request.Request) -> None:
        asked.set_proxy(self._place, "http")

    https_open = http_open


def stated_length(response: HTTPResponse) -> int | None:
    """How long what a server has is in all; None if it does not say."""
    whole = response.headers["Content-Range"] or response.headers["Content-Length"] or ""
    length = whole.rpartition("/")[2]
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None


class HttpBytes:
    """A recording's bytes, from `__enter__` to `__exit__`; of a server that cannot begin anywhere, as of a pipe."""

    def __init__(self, url: str, proxy: EgressProxy) -> None:
        self.name: Final = ""
        self.problem = ""
        """Why it could not be read to its end; empty while it can."""
        self._url: Final = url
        self._proxy: Final = proxy
        self._connection: Final = ExitStack()
        self._begin = 0
        self._pipe = PipeBytes(self._more)
        self._response: HTTPResponse | None = None
        self._read_to = 0
        self._length: int | None = None
        self._any_offset = False

    def __enter__(self) -> Self:
        self._connect(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def size(self) -> int | None:
        """How many there are, where each can be asked for; see `ByteSource`."""
        return self._length if self._any_offset else None

    def total(self) -> int | None:
        """How many there are; see `ByteSource`."""
        return self._length

    def read(self, at: int, size: int) -> bytes:
        """Bytes from an offset on; see `ByteSource`.

        Raises:
            OSError: the server closed the connection before, or cannot go back.
            SourceError: it cannot be reached any more.
        """
        if self._length is not None and at >= self._length:
            return b""
        if self._any_offset and not self._begin + self._pipe.begin <= at <= self._read_to + AHEAD_BYTES:
            self._connect(at)
        return self._pipe.read(at - self._begin, size)

    def _connect(self, at: int) -> None:
        self._connection.close()
        self._begin = self._read_to = at
        self._pipe = PipeBytes(self._more)
        try:
            response = self._connection.enter_context(http_response(self._url, self._proxy, at))
        except SourceError as error:
            self.problem = str(error)
            raise
        self._response, self._length = response, stated_length(response)
        self._any_offset = response.status == HTTPStatus.PARTIAL_CONTENT
        if at and not self._any_offset:
            raise self._failure(errno.ESPIPE, "the server cannot go back")

    def _more(self) -> bytes:
        if self._response is None:
            raise AssertionError("it is entered first")
        try:
            data = self._response.read1(STEP_BYTES)
        except TimeoutError as error:
            raise self._failure(errno.ETIMEDOUT, "it sends nothing") from error
        except HTTPException as error:
            raise self._failure(errno.EPROTO, "it sends no HTTP") from error
        self._read_to += len(data)
        if not data and self._length is not None and self._read_to < self._length:
            raise self._failure(errno.ECONNRESET, CLOSED)
        return data

    def _failure(self, number: int, problem: str) -> OSError:
        self.problem = problem
        return OSError(number, problem)
