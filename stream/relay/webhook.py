"""A webhook: each event and each alert as a POST of JSON, signed, and tried again until it is taken."""

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

from whoplays.stream.common.backoff import Backoff
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.page.state import StreamView
from whoplays.stream.pubsub.messages import Alert, Event, Message, to_json
from whoplays.stream.relay.options import WebhookOptions
from whoplays.stream.relay.relay import Link, Target

MOST_WAITING: Final = 1_000
OLDEST_S: Final = 300.0
"""What could not be told for so long is given up."""
TIMEOUT_S: Final = 3.0
"""How long a server may take with one message, whatever it sends meanwhile."""
LONGEST_REASON: Final = 200
LEAVE_S: Final = 1.0
"""How long what waits is still told when the relay is ended."""
SIGNATURE: Final = "X-Whoplays-Signature-256"
_AGAIN: Final = frozenset({408, 425, 429})
"""Statuses beside 5xx after which the same may be taken later."""


class _Waiting(NamedTuple):
    body: bytes
    came_s: float


class WebhookTarget(WorkerThread[_Waiting], Target):
    """An HTTP server; what it is told waits in a bounded queue, for a thread that tells it."""

    tick_s = 1.0

    def __init__(self, options: WebhookOptions) -> None:
        super().__init__("whoplays-webhook", MOST_WAITING)
        self.link = Link(f"webhook {options.shown}", "messages")
        self._options: Final = options
        self._until_s = float("inf")
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        self._start(self._run)
        return self

    def __exit__(self, *reason: object) -> None:
        self._until_s = time.monotonic() + LEAVE_S
        with _timer(LEAVE_S, self._abort):
            super().__exit__(*reason)

    def take(self, message: Message) -> None:
        """Let an event or an alert wait to be posted, as it came over the wire."""
        chosen = isinstance(message, Alert) or (isinstance(message, Event) and not self._options.alerts_only)
        if chosen and not self._put(_Waiting(to_json(message).encode(), time.monotonic())):
            self.link.lose()

    def show(self, views: Sequence[StreamView]) -> None:
        """States are not posted."""

    def _run(self) -> None:
        while waiting := self._take():
            self._tell(waiting)

    def _tell(self, waiting: _Waiting) -> None:
        for _ in Backoff(self._leaving).attempts():
            if self._is_over(waiting) or self._post(waiting.body):
                return
        # The relay ends: once, and no more.
        if not (self._is_over(waiting) or self._post(waiting.body)):
            self.link.lose()

    def _is_over(self, waiting: _Waiting) -> bool:
        """Whether it is given up."""
        now_s = time.monotonic()
        if now_s - waiting.came_s <= OLDEST_S and now_s < self._until_s:
            return False
        self.link.lose()
        return True

    def _post(self, body: bytes) -> bool:
        """Post a message; False if that is to be tried again."""
        try:
            status = self._status(body)
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
            self.link.failed(f"cannot be reached: {reason[:LONGEST_REASON]}")
            return False
        if status in _AGAIN or status >= 500:
            self.link.failed(f"answers {status}")
            return False
        if 200 <= status < 300:
            self.link.succeeded()
        else:
            # It would not be taken later either.
            self.link.lose()
            self.link.failed(f"refuses what it is sent: it answers {status}", "each message is tried once")
        return True

    def _status(self, body: bytes) -> int:
        parts = urlsplit(self._options.url)
        host, path = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timeout_s = LEAVE_S if self._leaving.is_set() else TIMEOUT_S
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        )
        self._connection = connection
        # The connection's own limit is one for each read.
        with _timer(timeout_s, self._abort):
            try:
                connection.request("POST", path, body, self._headers(body))
                return connection.getresponse().status
            finally:
                connection.close()

    def _abort(self) -> None:
        """End the request that is under way; whoever waits for its answer sees that the connection is closed."""
        connection = self._connection
        if connection and connection.sock:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "whoplays"}
        if self._options.secret:
            headers[SIGNATURE] = f"sha256={hmac.new(self._options.secret.encode(), body, hashlib.sha256).hexdigest()}"
        return headers


@contextmanager
def _timer(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function in another thread if it takes longer."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
