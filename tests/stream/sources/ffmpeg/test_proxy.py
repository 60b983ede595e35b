"""Where redirects and playlists may lead: 127.0.0.1 stands for the open internet, 127.0.0.2 for a private address."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.ffmpeg import proxy as proxy_module
from whoplays.stream.sources.ffmpeg.demux import MediaSpec
from whoplays.stream.sources.ffmpeg.player import play
from whoplays.stream.sources.ffmpeg.proxy import BURST_CONNECTIONS, EgressProxy, is_public


class Handler(BaseHTTPRequestHandler):
    """Sends whoever asks elsewhere, by a redirect or by a playlist; notes who has come."""

    def __init__(self, *arguments: object, clip: bytes, asked: list[str]) -> None:
        self._clip = clip
        self._asked = asked
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        port = str(self.headers["Host"]).rpartition(":")[2]
        self._asked.append(f"{self.headers['Host']}{self.path}")
        hosts = {"private": f"127.0.0.2:{port}", "public": f"127.0.0.1:{port}"}
        manner, _, where = self.path.strip("/").partition("_")
        if manner == "redirect":
            self.send_response(302)
            self.send_header("Location", f"http://{hosts[where]}/clip.mp3")
            self.end_headers()
            return
        body = self._clip
        if manner == "playlist":
            body = f"#EXTM3U\nhttp://{hosts[where]}/clip.mp3\n".encode()
        if manner == "hls":
            segments = "".join(f"#EXTINF:1,\nhttp://{hosts[where]}/clip.mp3\n" for _ in range(2))
            body = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}#EXT-X-ENDLIST\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def server(clips: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(proxy_module, "_is_global", lambda address: address == "127.0.0.1")
    handler = partial(Handler, clip=(clips / "clip.mp3").read_bytes(), asked=asked)
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def played(url: str, form: str | None = None) -> int:
    """How many samples come from there."""
    blocks: list[Block] = []
    media = MediaSpec(url=url, name="radio", form=form, selection=ChannelSelection())
    play(blocks.append, msgspec.to_builtins(media))
    return sum(block.audio.shape[1] for block in blocks)


@pytest.mark.parametrize("manner", ["redirect", "playlist", "hls"])
def test_from_the_open_internet_nothing_leads_to_private_addresses(server: str, asked: list[str], manner: str) -> None:
    port = server.rpartition(":")[2]
    with pytest.raises(SourceError, match=r"radio .*: it leads to 127\.0\.0\.2, which is not on the open internet"):
        played(f"http://{server}/{manner}_private", "hls" if manner == "hls" else None)
    assert not any(each.startswith(f"127.0.0.2:{port}") for each in asked)


def test_what_is_private_may_be_allowed(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOPLAYS_ALLOW_PRIVATE", "1")
    assert played(f"http://{server}/redirect_private") > 50_000


@pytest.mark.parametrize(
    ("host", "path"),
    [("127.0.0.1", "redirect_public"), ("127.0.0.2", "redirect_private"), ("127.0.0.2", "hls_private")],
)
def test_all_else_is_followed(server: str, host: str, path: str) -> None:
    port = server.rpartition(":")[2]
    assert played(f"http://{host}:{port}/{path}", "hls" if path.startswith("hls") else None) > 50_000


class OwnProxy(BaseHTTPRequestHandler):
    """A proxy of the user's: it asks the server, whatever host is named, and notes what came."""

    def __init__(self, *arguments: object, server_port: int, passed: list[tuple[str, str | None]]) -> None:
        self._port, self._passed = server_port, passed
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._passed.append((self.path, self.headers["Proxy-Authorization"]))
        there = HTTPConnection("127.0.0.1", self._port)
        there.request("GET", "/" + self.path.split("/", 3)[3], headers={"Host": f"127.0.0.1:{self._port}"})
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name in ("Location", "Content-Length"):
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def passed(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None]]]:
    """What passes through a proxy that the user has set; hall.invalid is a name that only it knows."""
    seen: list[tuple[str, str | None]] = []
    monkeypatch.setattr(proxy_module, "is_loopback", lambda _: False)
    handler = partial(OwnProxy, server_port=int(server.rpartition(":")[2]), passed=seen)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as own:
        thread = threading.Thread(target=partial(own.serve_forever, 0.05))
        thread.start()
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{own.server_port}")
        try:
            yield seen
        finally:
            own.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["hall.invalid", "127.0.0.1"])
def test_a_proxy_of_the_user_is_connected_to(passed: list[tuple[str, str | None]], host: str) -> None:
    assert played(f"http://{host}/clip.mp3") > 50_000
    assert set(passed) == {(f"http://{host}:80/clip.mp3", "Basic bWU6c2VjcmV0")}


@pytest.mark.parametrize(
    ("host", "bypass"), [("hall.invalid", ""), ("127.0.0.1", ""), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "*")]
)
def test_what_is_checked_without_a_proxy_is_checked_with_one(
    server: str,
    asked: list[str],
    passed: list[tuple[str, str | None]],
    host: str,
    bypass: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", bypass)
    port = server.rpartition(":")[2]
    with pytest.raises(SourceError, match=r"it leads to 127\.0\.0\.2, which is not on the open internet"):
        played(f"http://{host}:{port}/redirect_private")
    assert not any(each.startswith("127.0.0.2") for each in asked)
    assert not any("127.0.0.2" in address for address, _ in passed)
    assert bool(passed) is not bool(bypass)


def test_connections_are_made_no_faster_than_a_player_needs(server: str) -> None:
    host, _, port = server.partition(":")
    with EgressProxy(f"http://{server}/") as proxy:
        began_s = time.monotonic()
        for _ in range(BURST_CONNECTIONS + 5):
            proxy.connect(host, int(port)).close()
        assert time.monotonic() - began_s > 0.4


@pytest.mark.parametrize(
    ("host", "public"),
    [("127.0.0.1", False), ("10.0.0.1", False), ("169.254.169.254", False), ("::1", False), ("1.1.1.1", True)],
)
def test_addresses_of_the_open_internet_are_known(host: str, public: bool) -> None:
    assert is_public(host) is public
    assert is_public("hall.invalid") is None
