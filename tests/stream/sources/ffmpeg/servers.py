"""Servers of media: HTTP that behaves badly on demand, and RTSP with losses."""

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = 2048
RTP_FRAMES = 441


class Handler(SimpleHTTPRequestHandler):
    """`/NAME` is a file; `/endless/NAME` and so on treat it badly."""

    def __init__(self, *arguments: Any, stopped: threading.Event, **options: Any) -> None:
        self._stopped = stopped
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        _, manner, *rest = self.path.partition("?")[0].split("/")
        behave = {
            "endless": self._endless,
            "stall": self._stall,
            "drop": self._drop,
            "hang_up": self._hang_up,
            "ranges": self._ranges,
        }
        with contextlib.suppress(ConnectionError):
            if manner in behave:
                behave[manner]((Path(self.directory) / rest[0]).read_bytes())
            else:
                super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _endless(self, data: bytes) -> None:
        """All at once, as a burst, then over and over at 16 kB/s."""
        self._begin()
        self.wfile.write(data)
        while not self._stopped.wait(CHUNK / 16_000):
            self.wfile.write(data[:CHUNK])
            data = data[CHUNK:] + data[:CHUNK]

    def _stall(self, data: bytes) -> None:
        self._begin()
        self.wfile.write(data)
        self._stopped.wait()

    def _drop(self, data: bytes) -> None:
        self._begin(len(data))
        self.wfile.write(data[: len(data) // 2])

    def _hang_up(self, data: bytes) -> None:
        """Sends it with no length, as broadcasts are sent, and closes the connection."""
        self._begin()
        self.wfile.write(data)

    def _ranges(self, data: bytes) -> None:
        """From the byte that is asked for."""
        start = int((self.headers["Range"] or "bytes=0-").partition("=")[2].partition("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def _begin(self, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


@contextlib.contextmanager
def serve_http(folder: Path) -> Iterator[int]:
    """Serve a folder on a free port of the loopback."""
    stopped = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, stopped=stopped, directory=folder)) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield server.server_port
        finally:
            stopped.set()
            server.shutdown()
            thread.join()


class RtspHandler(socketserver.StreamRequestHandler):
    """Enough of RTSP (RFC 2326) for one listener: 1 s of L16 within the connection, 0.4 s of them lost.

    Where `set_up` is given there is video as well, and the names of what is set up are put there.
    """

    def __init__(self, *arguments: Any, set_up: list[str] | None) -> None:
        self._set_up = set_up
        super().__init__(*arguments)

    def handle(self) -> None:
        while request := self._request():
            method, number, url = request
            if method == "SETUP" and self._set_up is not None:
                self._set_up.append(url.rpartition("/")[2])
            self._answer(method, number)
            if method == "PLAY":
                self._play()
                return

    def _request(self) -> tuple[str, str, str] | None:
        lines: list[str] = []
        while (line := self.rfile.readline().strip().decode()) or not lines:
            if not line:
                return None
            lines.append(line)
        number = next(line.partition(":")[2].strip() for line in lines if line.lower().startswith("cseq"))
        method, url, _ = lines[0].split()
        return method, number, url

    def _answer(self, method: str, number: str) -> None:
        sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=hall\r\nt=0 0\r\nm=audio 0 RTP/AVP 10\r\na=control:a\r\n"
        if self._set_up is not None:
            sdp += "m=video 0 RTP/AVP 26\r\na=control:v\r\n"
        headers = [f"CSeq: {number}", "Session: 1"]
        if method == "SETUP":
            headers.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        body = ""
        if method == "DESCRIBE":
            body = sdp
            headers += ["Content-Type: application/sdp", f"Content-Length: {len(sdp)}"]
        self.wfile.write("\r\n".join(["RTSP/1.0 200 OK", *headers, "", body]).encode())

    def _play(self) -> None:
        payload = np.full(2 * RTP_FRAMES, 2**14, ">i2").tobytes()
        with contextlib.suppress(ConnectionError):
            for packet in [*range(30), *range(70, 100)]:
                header = struct.pack(">BBHII", 0x80, 10, packet, packet * RTP_FRAMES, 7)
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(header + payload)) + header + payload)
                time.sleep(0.005)


@contextlib.contextmanager
def serve_rtsp(set_up: list[str] | None = None) -> Iterator[int]:
    """Serve on a free port of the loopback."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), partial(RtspHandler, set_up=set_up)) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
