"""A relay to a real HTTP server: what it is posted, that it is signed, and what happens while it does not take it."""

import hashlib
import hmac
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event as Event_
from threading import Thread

import msgspec
import pytest

from tests.stream.page.test_state import event, status, window
from tests.stream.relay.relaying import JOIN_S, Concert, relaying
from tests.stream.relay.test_mqtt import ALERT, free_port
from whoplays.stream.pubsub.messages import Alert, Event, decode
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.relay import webhook
from whoplays.stream.relay.options import WebhookOptions
from whoplays.stream.relay.webhook import SIGNATURE, WebhookTarget

SECRET = "0123456789abcdef"


class Hook:
    """A server that is posted to."""

    def __init__(self) -> None:
        self.posted: Queue[tuple[bytes, str | None]] = Queue()
        self.answers: list[int] = []
        """The statuses of the next answers; after them it takes everything."""

    def next(self) -> bytes:
        return self.posted.get(timeout=JOIN_S)[0]


@contextmanager
def hooked(port: int = 0) -> Iterator[tuple[Hook, str]]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # Before it is answered: the next one may come at once.
            hook.posted.put((body, self.headers[SIGNATURE]))
            self.send_response(hook.answers.pop(0) if hook.answers else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the library's
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hook, f"http://127.0.0.1:{server.server_address[1]}/hook?room=1"
        finally:
            server.shutdown()
            thread.join()


def test_events_and_alerts_are_posted_and_signed(tmp_path: Path, publisher: Publisher) -> None:
    concert, secret, address = Concert(publisher), tmp_path / "secret", tmp_path / "address"
    secret.write_text(f"{SECRET}\n")
    with hooked() as (hook, url):
        address.write_text(url)
        with relaying("webhook", f"@{address}", publisher.endpoint, "--secret-file", str(secret)):
            assert publisher.wait_for_subscriber(JOIN_S)
            concert.send(status(0), window(0, violin=0.75), event(1, "violin", "start"), ALERT)
            body, signature = hook.posted.get(timeout=JOIN_S)
            assert isinstance(decode(body), Event)
            assert signature == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            assert isinstance(decode(hook.next()), Alert)


def test_of_alerts_alone_if_that_is_asked_for(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with hooked() as (hook, url), relaying("webhook", url, publisher.endpoint, "--alerts-only"):
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0), event(1, "violin", "start"), ALERT)
        assert hook.posted.get(timeout=JOIN_S) == (msgspec.json.encode(ALERT), None)


def test_what_is_not_taken_is_posted_again(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with hooked() as (hook, url), relaying("webhook", url, publisher.endpoint) as notes:
        hook.answers += [503, 429]
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(event(1, "violin", "start"), event(2, "violin", "end"))
        first, second, third, other = (hook.next() for _ in range(4))
        assert first == second == third != other
        name = "whoplays: webhook " + url.replace("room=1", "room=…")
        assert notes.next() == f"{name}: answers 503; it is tried again"
        assert notes.next() == f"{name}: reached again; 0 messages were lost"


def test_what_is_refused_is_given_up_and_counted(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with hooked() as (hook, url), relaying("webhook", url, publisher.endpoint) as notes:
        hook.answers += [404, 404]
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(event(1, "violin", "start"), event(2, "violin", "end"), ALERT)
        assert len({hook.next() for _ in range(3)}) == 3
        name = "whoplays: webhook " + url.replace("room=1", "room=…")
        assert notes.next() == f"{name}: refuses what it is sent: it answers 404; each message is tried once"
        assert notes.next() == f"{name}: reached again; 2 messages were lost"


def test_a_server_that_is_down_is_told_when_it_is_back(publisher: Publisher) -> None:
    concert, port = Concert(publisher), free_port()
    url = f"http://127.0.0.1:{port}/hook"
    with relaying("webhook", url, publisher.endpoint) as notes:
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(event(1, "violin", "start"))
        assert notes.next() == f"whoplays: webhook {url}: cannot be reached: Connection refused; it is tried again"
        with hooked(port) as (hook, _):
            assert isinstance(decode(hook.next()), Event)
            assert notes.next() == f"whoplays: webhook {url}: reached again; 0 messages were lost"


def test_what_waits_is_bounded_and_what_is_left_at_the_end_is_counted() -> None:
    target = WebhookTarget(WebhookOptions(f"http://127.0.0.1:{free_port()}/"))
    began_s = time.monotonic()
    with target:
        for _ in range(webhook.MOST_WAITING + 100):
            target.take(event(1, "violin", "start"))
    assert target.link.lost == webhook.MOST_WAITING + 100
    assert time.monotonic() - began_s < 3


def test_what_is_too_old_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "OLDEST_S", -1.0)
    with hooked() as (hook, url):
        target = WebhookTarget(WebhookOptions(url))
        with target:
            target.take(event(1, "violin", "start"))
    assert (target.link.lost, hook.posted.qsize()) == (1, 0)


@pytest.mark.parametrize(
    ("target", "mistake"),
    [
        (
            "ftp://host/",
            "target must be like https://example.org/hook, its port between 1 and 65535, got 'ftp://host/'",
        ),
        (
            "https://me:secret@host/",
            "target must have no user or password, got 'https://host/'; sign with a secret",
        ),
    ],
)
def test_mistakes_are_one_line(target: str, mistake: str) -> None:
    command = [sys.executable, "-m", "whoplays", "relay", "webhook", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"whoplays: {mistake}\n")


@pytest.mark.parametrize("drip", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_server_that_never_comes_to_an_end_holds_nothing_up(drip: bytes) -> None:
    ended = Event_()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_drip, args=(server, drip, ended))
        thread.start()
        target = WebhookTarget(WebhookOptions(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        began_s = time.monotonic()
        with target:
            target.take(event(1, "violin", "start"))
        assert time.monotonic() - began_s < 4
        ended.set()
        thread.join()
    assert target.link.lost == 1


def _drip(server: socket.socket, drip: bytes, ended: Event_) -> None:
    """Answer the first who asks bit by bit, for ever."""
    server.settimeout(10)
    connection, _ = server.accept()
    with connection, suppress(OSError):
        while not ended.wait(0.05):
            connection.sendall(drip)
