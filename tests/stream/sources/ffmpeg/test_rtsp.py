"""Where servers of RTSP lead: asked first, for FFmpeg would follow without end, and anywhere."""

import socketserver
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from tests.stream.sources.ffmpeg.servers import free_port
from tests.stream.sources.ffmpeg.test_proxy import played
from whoplays.models.errors import SourceError
from whoplays.stream.sources.ffmpeg import proxy as proxy_module


class Redirecting(socketserver.StreamRequestHandler):
    """Answers each request with a redirect."""

    asked: list[str]
    location = ""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line.strip():
                continue
            self.asked.append(self.location)
            self.wfile.write(f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: {self.location}\r\n\r\n".encode())


@pytest.fixture
def redirecting() -> Iterator[type[Redirecting]]:
    """A server of RTSP that leads to itself."""
    handler = type("Handler", (Redirecting,), {"asked": []})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        handler.location = f"rtsp://127.0.0.1:{server.server_address[1]}/a"  # type: ignore[attr-defined]
        thread = threading.Thread(target=partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield handler
        finally:
            server.shutdown()
            thread.join()


def test_a_redirect_to_itself_ends(redirecting: type[Redirecting]) -> None:
    with pytest.raises(SourceError, match="redirects again and again"):
        played(redirecting.location)
    assert len(redirecting.asked) == 5


def test_from_the_open_internet_no_redirect_leads_to_private_addresses(
    redirecting: type[Redirecting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_module, "_is_global", lambda address: address == "127.0.0.1")
    first, redirecting.location = redirecting.location, f"rtsp://127.0.0.2:{free_port()}/b"
    with pytest.raises(SourceError, match=r"it leads to 127\.0\.0\.2, which is not on the open internet"):
        played(first)
    assert len(redirecting.asked) == 1
