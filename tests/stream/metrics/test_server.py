"""The metrics server over real connections."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from tests.stream.history.make_history import make_concert, wait_for
from tests.stream.metrics.make_metrics import make_metrics
from whoplays.models.errors import EndpointError
from whoplays.stream.metrics.server import MOST_CLIENTS, MetricsServer

ANSWER_S = 20


@contextmanager
def serving(
    ready: Callable[[], str | None] = lambda: None, healthy: Callable[[], str | None] = lambda: None
) -> Iterator[str]:
    metrics = make_metrics()
    for message in make_concert():
        metrics.handle(message)
    with MetricsServer("127.0.0.1:0", metrics, ready, healthy) as server:
        yield server.address


def ask(address: str, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(f"http://{address}{path}", method=method, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_S)


def test_prometheus_scrapes_it() -> None:
    with serving() as address:
        status, headers, text = ask(address, "/metrics?name=all")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "whoplays_windows" in {family.name for family in parse_plain(text)}
    assert not {"Server", "Date"} & headers.keys()


def test_openmetrics_is_given_to_whoever_asks_for_it() -> None:
    with serving() as address:
        _, headers, text = ask(
            address, "/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        )
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(text)  # type: ignore[no-untyped-call]
    assert {family.name: family.type for family in families}["whoplays_source_state"] == "stateset"


def test_health_and_readiness_change() -> None:
    problems: list[str | None] = ["the model is loading", None]
    with serving(lambda: problems[0], lambda: problems[1]) as address:
        assert ask(address, "/readyz")[::2] == (503, "the model is loading\n")
        assert ask(address, "/healthz")[::2] == (200, "ok\n")
        problems[:] = [None, "hall is lost: größer als erlaubt"]
        assert ask(address, "/readyz")[::2] == (200, "ok\n")
        assert ask(address, "/healthz")[::2] == (503, "hall is lost: größer als erlaubt\n")


def test_nothing_else_is_answered() -> None:
    with serving() as address:
        assert ask(address, "/")[0] == 404
        assert ask(address, "/metrics/../../etc/passwd")[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert ask(address, "/metrics", method)[0] == 501
        status, headers, text = ask(address, "/healthz", "HEAD")
    assert (status, headers["Content-Length"], text) == (200, "3", "")


@pytest.mark.parametrize(
    "rubbish", [b"\r\n\r\n", b"\x00\xff\xfe\r\n\r\n", b"GET " + b"a" * 70_000, b"GET / HTTP/9.9\r\n\r\n"]
)
def test_rubbish_is_hung_up_on(rubbish: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as address:
        with connect(address) as client:
            client.sendall(rubbish)
            while client.recv(65_536):
                pass
        with connect(address) as client:
            client.sendall(b"GET /met")
        assert ask(address, "/healthz")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_who_dawdles_is_hung_up_on_and_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then, which would satisfy a limit for each byte."""
    monkeypatch.setattr("whoplays.stream.metrics.server.REQUEST_S", 1.0)
    with serving() as address, ExitStack() as stack:
        began_s = time.monotonic()
        slow = [stack.enter_context(connect(address)) for _ in range(MOST_CLIENTS - 1)]
        while all(drip(client) for client in slow):
            assert ask(address, "/healthz")[0] == 200
            assert time.monotonic() - began_s < ANSWER_S
            time.sleep(0.1)
        assert time.monotonic() - began_s > 0.9


def drip(client: socket.socket) -> bool:
    """Send one byte more of a request; False once the other end has hung up."""
    try:
        client.sendall(b"G")
        client.settimeout(0.01)
        return bool(client.recv(1))
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_there_are_never_too_many_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.metrics.server.REQUEST_S", 60.0)
    before = threading.active_count()
    with serving() as address:
        with ExitStack() as stack:
            for _ in range(MOST_CLIENTS):
                stack.enter_context(connect(address))
            wait_for(lambda: threading.active_count() == before + 1 + MOST_CLIENTS)
            with connect(address) as one_more:
                assert one_more.recv(1) == b""
            assert threading.active_count() == before + 1 + MOST_CLIENTS
        wait_for(lambda: answers(address))


def answers(address: str) -> bool:
    try:
        return ask(address, "/healthz")[0] == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def test_leaving_waits_for_nobody_who_dawdles() -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        with serving() as address:
            clients = [stack.enter_context(connect(address)) for _ in range(5)]
            wait_for(lambda: threading.active_count() == before + 1 + len(clients))
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 4
        assert threading.active_count() == before


def test_an_error_of_ours_is_not_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> str | None:
        raise ZeroDivisionError("a mistake")

    with serving(broken) as address:
        with pytest.raises(ConnectionError):
            ask(address, "/readyz")
        assert ask(address, "/healthz")[0] == 200
    assert "a mistake" in capfd.readouterr().err


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:80"])
def test_the_open_network_is_refused_unless_insisted_on(address: str) -> None:
    with pytest.raises(EndpointError, match="open to the network"):
        MetricsServer(address, make_metrics(), lambda: None, lambda: None)
    MetricsServer(address, make_metrics(), lambda: None, lambda: None, insecure=True)


@pytest.mark.parametrize("address", ["", "9464", "127.0.0.1", "127.0.0.1:65536", "1.2.3:80", "example.org:80", "[x]:1"])
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(EndpointError, match=r"address must be HOST:PORT, .* got "):
        MetricsServer(address, make_metrics(), lambda: None, lambda: None, insecure=True)


def test_an_address_in_use_is_refused_in_one_line() -> None:
    with (
        serving() as address,
        pytest.raises(
            EndpointError, match=rf"^cannot serve metrics on {address}: Address already in use; give another"
        ),
        MetricsServer(address, make_metrics(), lambda: None, lambda: None),
    ):
        pass


def test_ipv6_and_localhost() -> None:
    for address in ("[::1]:0", "localhost:0"):
        try:
            with MetricsServer(address, make_metrics(), lambda: None, lambda: None) as server:
                assert ask(server.address, "/readyz")[0] == 200
        except EndpointError as error:
            pytest.skip(f"no such address here: {error}")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LOCALHOST:9464", 200),
        ("[::1]:1", 200),
        ("rebound.example", 421),
        ("rebound.example:9464", 421),
        ("127.0.0.1.rebound.example", 421),
        ("[::1]rebound.example", 421),
    ],
)
def test_a_name_that_leads_here_is_not_answered(host: str, status: int) -> None:
    with serving() as address:
        request = urllib.request.Request(f"http://{address}/readyz", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                found = answer.status
        except urllib.error.HTTPError as error:
            found = error.code
    assert found == status


def test_where_the_network_may_ask_any_name_is_answered() -> None:
    with MetricsServer("0.0.0.0:0", make_metrics(), lambda: None, lambda: None, insecure=True) as server:
        port = server.address.rpartition(":")[2]
        assert ask(f"127.0.0.1:{port}", "/readyz")[0] == 200
