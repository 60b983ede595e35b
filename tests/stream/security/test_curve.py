"""CURVE over real sockets: who is admitted, who is not, and that it is counted."""

import threading
import time
from collections.abc import Callable
from typing import NoReturn

import pytest
import zmq

from tests.stream.make_messages import make_gap
from tests.stream.security.make_keys import Keyring
from whoplays.models.errors import EndpointError
from whoplays.stream.pubsub.messages import Notice
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Subscriber
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.security.keys import ClientKeys

ANY_PORT = "tcp://127.0.0.1:*"
PATIENCE_S = 20


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def refuses(publisher: Publisher, keys: ClientKeys | None) -> None:
    """Assert that a client is refused, counted, and told."""
    failed = publisher.handshakes.failed
    with Subscriber(publisher.endpoint, silence_s=1, keys=keys) as subscriber:
        wait_until(lambda: publisher.handshakes.failed > failed)
        publisher.send(make_gap(0))
        notice = next(subscriber)
    assert isinstance(notice, Notice)
    assert notice.what == "silent"
    assert "key" in notice.text
    assert publisher.handshakes.succeeded == 0
    assert not publisher.wait_for_subscriber(0)


def admits(publisher: Publisher, keys: ClientKeys) -> None:
    """Assert that a client hears what is published."""
    with Subscriber(publisher.endpoint, silence_s=PATIENCE_S, keys=keys) as subscriber:
        assert publisher.wait_for_subscriber(PATIENCE_S)
        publisher.send(make_gap(7))
        assert next(subscriber) == make_gap(7)


def send_until_heard(publisher: Publisher) -> None:
    publisher.wait_for_subscriber(PATIENCE_S)
    publisher.send(make_gap(0))


def test_an_allowed_client_is_admitted_and_counted(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        admits(publisher, keyring.client("stage"))
        assert (publisher.handshakes.succeeded, publisher.handshakes.failed) == (1, 0)
        wait_until(lambda: publisher.handshakes.connections == 0)


def test_an_unknown_key_is_refused(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        refuses(publisher, keyring.client("stranger"))


def test_no_key_is_refused(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        refuses(publisher, None)


def test_the_key_of_another_server_is_refused(keyring: Keyring) -> None:
    keyring.allow("stage")
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        refuses(publisher, keyring.client("stage", server="stranger"))


def test_who_encrypts_is_refused_by_who_does_not(keyring: Keyring) -> None:
    with Publisher(ANY_PORT) as publisher:
        refuses(publisher, keyring.client("stage"))


def test_a_failure_is_told_with_its_reason(keyring: Keyring) -> None:
    told: list[str] = []
    with (
        Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=told.append) as publisher,
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
    ):
        wait_until(lambda: publisher.handshakes.failed > 1)
    assert told == ["a handshake failed: the client's key is not allowed; 1 so far"]


class Failing:
    """Is told of a refusal, and fails."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def __call__(self, text: str) -> None:
        self.told.set()
        raise ZeroDivisionError(text)


def test_who_waits_for_room_hears_that_the_publisher_has_failed(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.pubsub.publisher.QUEUE_MESSAGES", 1)

    def publish() -> NoReturn:
        with (
            Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=Failing()) as publisher,
            Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
        ):
            while True:
                publisher.send(make_gap(0), wait=True)

    with pytest.raises(ZeroDivisionError, match="a handshake failed"):
        publish()


def test_a_publisher_that_has_failed_says_so_when_it_is_left(keyring: Keyring) -> None:
    failing = Failing()
    with (
        pytest.raises(ZeroDivisionError, match="a handshake failed"),
        Publisher(ANY_PORT, keys=keyring.server(), on_handshake_failed=failing) as publisher,
        Subscriber(publisher.endpoint, keys=keyring.client("stranger")),
    ):
        assert failing.told.wait(PATIENCE_S)


def test_an_added_key_admits_at_once_and_a_removed_one_no_more(keyring: Keyring) -> None:
    with Publisher(ANY_PORT, keys=keyring.server()) as publisher:
        refuses(publisher, keyring.client("stage"))
        keyring.allow("stage")
        admits(publisher, keyring.client("stage"))
        keyring.allowed.revoke("stage")
        failed, succeeded = publisher.handshakes.failed, publisher.handshakes.succeeded
        with Subscriber(publisher.endpoint, keys=keyring.client("stage")):
            wait_until(lambda: publisher.handshakes.failed > failed)
        assert publisher.handshakes.succeeded == succeeded


def test_who_was_refused_is_admitted_when_allowed_later(keyring: Keyring) -> None:
    with (
        Publisher(ANY_PORT, keys=keyring.server()) as publisher,
        Subscriber(publisher.endpoint, silence_s=0.5, keys=keyring.client("stage")) as subscriber,
    ):
        notice = next(subscriber)
        assert isinstance(notice, Notice)
        assert notice.text.endswith("the client's key is not allowed")
        keyring.allow("stage")
        sending = threading.Thread(target=send_until_heard, args=(publisher,))
        sending.start()
        assert next(subscriber) == make_gap(0)
        sending.join()


def test_refusals_that_nobody_reads_of_do_not_hang_the_subscriber(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a socket that are not read make ZeroMQ wait for their reader, also when the socket is closed."""
    monkeypatch.setattr("whoplays.stream.security.handshakes._WATCHED", zmq.EVENT_ALL)
    context = zmq.Context()
    socket, handshakes = context.socket(zmq.SUB), Handshakes()
    socket.setsockopt(zmq.RECONNECT_IVL, 1)
    with handshakes.watching(socket):
        socket.connect("tcp://127.0.0.1:1")
        time.sleep(3)
    context.destroy(linger=0)


def test_the_network_needs_keys_or_insistence(keyring: Keyring) -> None:
    with pytest.raises(EndpointError, match="open to the network, unencrypted"):
        Publisher("tcp://0.0.0.0:*")
    with Publisher("tcp://0.0.0.0:*", keys=keyring.server()) as publisher:
        assert publisher.endpoint.startswith("tcp://0.0.0.0:")
