"""The page's server as a process of its own: what programs ask for, who may ask, and what is refused."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests.stream.history.make_history import make_concert, record
from tests.stream.page.test_state import T0, S, event, status
from whoplays.stream.page.app import describe
from whoplays.stream.page.state import StreamView
from whoplays.stream.pubsub.messages import FiringAlert
from whoplays.stream.pubsub.publisher import Publisher

pytest.importorskip("uvicorn", reason="uvicorn is not installed")


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher


@contextmanager
def serving(*arguments: str) -> Iterator[int]:
    """The page in a process of its own, and its port; on leaving it has to end, and well."""
    command = [sys.executable, "-m", "whoplays", "page", *arguments, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = re.search(r"http://\S+:(\d+)/", process.stderr.readline())
            assert found
            yield int(found[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


def ask(port: int, path: str, method: str = "GET", body: str | bytes = b"", **headers: str) -> Answer:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        # Live events never end.
        return Answer(answer.status, answer.headers, b"" if path == "/api/live" else answer.read())


@contextmanager
def listening(port: int) -> Iterator[HTTPResponse]:
    """Live events."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/api/live")
        with connection.getresponse() as live:
            yield live


def told(port: int, path: str, **headers: str) -> object:
    answer = ask(port, path, **headers)
    assert answer.status == 200
    return json.loads(answer.body)


def send_until_shown(publisher: Publisher, port: int) -> list[StreamView]:
    """Publish a status until the subscriber of the page has one."""
    for _ in range(100):
        publisher.send(status(0))
        time.sleep(0.05)
        if views := told(port, "/api/streams"):
            return msgspec.convert(views, list[StreamView])
    raise AssertionError("nothing arrived")


def test_an_alert_is_shown_and_acknowledged_for_all(publisher: Publisher) -> None:
    firing = FiringAlert(rule="violin not playing", when="not playing", instrument="violin", since_ns=T0)
    with serving(publisher.endpoint) as port:
        send_until_shown(publisher, port)
        publisher.send(status(1, alerts=(firing,)))
        for acknowledged in (False, True):
            for _ in range(100):
                (view,) = msgspec.convert(told(port, "/api/streams"), list[StreamView])
                if [alert.acknowledged for alert in view.alerts] == [acknowledged]:
                    break
                time.sleep(0.05)
            assert [(alert.rule, alert.since_ns) for alert in view.alerts] == [("violin not playing", T0)]
            body = json.dumps({"stream": "hall", "rule": "violin not playing"})
            assert ask(port, "/api/acknowledge", "POST", body).status == 200
        assert ask(port, "/api/acknowledge", "POST", body.replace("violin", "piano")).status == 404
        assert ask(port, "/api/acknowledge", "POST", "nothing").status == 400
        assert ask(port, "/api/acknowledge", "POST", 5000 * "x").status == 413
        assert ask(port, "/api/acknowledge", "POST", body, Origin="http://evil.example").status == 403


def test_programs_are_told_who_plays_and_who_played(publisher: Publisher) -> None:
    with serving(publisher.endpoint) as port:
        (view,) = send_until_shown(publisher, port)
        assert (view.stream, view.state, view.source) == ("hall", "listening", "concert.wav")
        with listening(port) as live:
            assert live.headers["content-type"].startswith("text/event-stream")
            for message in (
                event(1, "violin", "start", 0),
                event(4, "violin", "end", 1),
                event(5, "piano", "start", 2),
            ):
                publisher.send(message)
            assert any(b'"name":"piano"' in line for line in iter(live.readline, b""))
        now = told(port, "/api/now")
        assert now == [
            {
                "stream": "hall",
                "state": "listening",
                "playing": [{"label": "piano", "since_ns": T0 + 5 * S, "probability": None}],
            }
        ]
        timeline = told(port, f"/api/events?from={T0}&to={T0 + 10 * S}&stream=hall")
        assert isinstance(timeline, dict)
        assert [(span["name"], span["start_ns"], span["end_ns"]) for span in timeline["spans"]] == [
            ("violin", T0 + S, T0 + 4 * S),
            ("piano", T0 + 5 * S, None),
        ]
        other = told(port, "/api/events?stream=other")
        assert isinstance(other, dict)
        assert other["spans"] == []
        assert told(port, "/openapi.json") == json.loads(msgspec.json.encode(describe()))


def test_what_was_before_comes_from_the_history(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    record(database, make_concert())
    with serving("tcp://127.0.0.1:9", "--history", str(database)) as port:
        timeline = told(port, "/api/events?from=0")
        assert isinstance(timeline, dict)
        assert {span["kind"] for span in timeline["spans"]} == {"label", "gap"}


def test_only_its_own_names_and_pages_may_ask() -> None:
    with serving("tcp://127.0.0.1:9", "--allow-host", "hall.example") as port:
        assert ask(port, "/", Host="evil.example").status == 421
        assert ask(port, "/", Host="hall.example").status == 200
        assert ask(port, "/", Host=f"localhost:{port}").status == 200
        assert ask(port, "/login", "POST", Origin="http://evil.example").status == 403
        page = ask(port, "/")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


def test_a_token_is_given_once_for_a_cookie_or_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    with serving("tcp://127.0.0.1:9", "--token-file", str(token)) as port:
        assert (ask(port, "/").status, ask(port, "/").headers["location"]) == (303, "/login")
        assert ask(port, "/login").status == 200
        for path in ("/page.js", "/api/now", "/api/live", "/api/streams", "/api/events", "/openapi.json"):
            assert ask(port, path).status == 401
        assert ask(port, "/api/now", Authorization="Bearer 0123456789abcdeX").status == 401
        assert ask(port, "/api/now", Cookie="whoplays=0123456789abcdef").status == 401
        assert ask(port, "/api/now", Authorization="Bearer 0123456789abcdef").status == 200
        wrong = ask(port, "/login", "POST", "token=wrong")
        assert (wrong.headers["location"], wrong.headers["set-cookie"]) == ("/login?wrong", None)
        cookie = ask(port, "/login", "POST", "token=0123456789abcdef").headers["set-cookie"]
        assert cookie
        assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert "0123456789abcdef" not in cookie
        assert ask(port, "/api/now", Cookie=cookie.partition(";")[0]).status == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\n", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"]
)
def test_those_who_say_nothing_keep_nobody_out_for_long(said: bytes) -> None:
    with serving("tcp://127.0.0.1:9") as port, ExitStack() as stack:
        for _ in range(120):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(said)
        await_answer(port)


def await_answer(port: int) -> None:
    deadline_s = time.monotonic() + 20
    while ask(port, "/api/now").status != 200:
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def test_those_who_say_nothing_after_an_answer_keep_nobody_out_for_long() -> None:
    with serving("tcp://127.0.0.1:9") as port, ExitStack() as stack:
        for _ in range(110):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(65_536)
            connection.sendall(b"GET / HTTP/1.1\r\n")
        await_answer(port)


@pytest.mark.parametrize("body", [b"\xff", b"[" * 100_000, b"{}"])
def test_what_is_no_acknowledgement_is_refused(body: bytes) -> None:
    with serving("tcp://127.0.0.1:9") as port:
        assert ask(port, "/api/acknowledge", "POST", body).status in {400, 413}
        assert ask(port, "/api/events?stream=%00").status == 400
        assert ask(port, "/api/now").status == 200


@pytest.mark.parametrize("path", ["/", "/login", "/api/events"])
def test_ten_megabytes_are_no_request(path: str) -> None:
    with serving("tcp://127.0.0.1:9") as port:
        try:
            answer = ask(port, path, "POST", b"x" * 10_000_000).status
        except (BrokenPipeError, ConnectionResetError):
            answer = 413
        assert answer in {405, 413}
        assert ask(port, "/api/now").status == 200


def test_a_time_that_is_none_is_refused() -> None:
    with serving("tcp://127.0.0.1:9") as port:
        answer = ask(port, "/api/events?from=yesterday")
        assert answer.status == 400
        assert "from must be ISO 8601" in answer.body.decode()
        assert ask(port, "/api/events?from=2026-05-01T20:15:00%2B02:00&to=99999999999999999999").status == 400


def test_who_listens_ends_with_the_page() -> None:
    with ExitStack() as stack:
        with serving("tcp://127.0.0.1:9") as port:
            live = stack.enter_context(listening(port))
            assert any(b"event: time" in line for line in iter(live.readline, b""))
        assert live.read().endswith(b"\n\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "{port}"], "the page cannot be served on 127.0.0.1:{port}: Address already in use"),
        (["--port", "65536"], "--port must be between 0 and 65535, got 65536"),
        (["--host", "0.0.0.0", "--port", "0"], "0.0.0.0 can be reached by others: give --token-file, or --insecure"),
        (["--token-file", "{token}"], "must have 16 characters or more, got 5"),
        (["--token-file", "{token}.no"], "cannot be read: No such file or directory"),
        (["http://hall"], "http://hall"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = [each.format(port=port, token=token) for each in arguments]
        command = [sys.executable, "-m", "whoplays", "page", *given]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert found.stderr.count("\n") == 1
    assert message.format(port=port, token=token) in found.stderr
