"""An HTTP broadcast that can be disturbed."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

CHUNK = 2048


class _Handler(BaseHTTPRequestHandler):
    server: "Broadcast"

    def do_GET(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Type", "audio/mpeg")
            self.end_headers()
            for chunk in self.server.chunks():
                self.wfile.write(chunk)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Broadcast(ThreadingHTTPServer):
    """Sends a clip at once, as a burst, then over and over at 16 kB/s, to everybody who connects.

    Args:
        clip: MP3 at 128 kbit/s.
    """

    def __init__(self, clip: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.uri = f"http://127.0.0.1:{self.server_port}/live"
        self._clip = clip
        self._over = threading.Event()
        self._spoilt: dict[str, threading.Event] = {"drop": threading.Event(), "stall": threading.Event()}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def spoil(self, how: Literal["drop", "stall"]) -> None:
        """Close each connection that there is, or send nothing more over it; new ones are served well."""
        self._spoilt[how].set()
        self._spoilt = {**self._spoilt, how: threading.Event()}

    def chunks(self) -> Iterator[bytes]:
        """What one listener gets, when it is due."""
        drop, stall = self._spoilt["drop"], self._spoilt["stall"]
        data = self._clip
        yield data
        while not (self._over.wait(CHUNK / 16_000) or drop.is_set()):
            if stall.is_set():
                self._over.wait()
                return
            yield data[:CHUNK]
            data = data[CHUNK:] + data[:CHUNK]
