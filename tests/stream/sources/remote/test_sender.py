import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from tests.stream.sources.remote.packets import cut, make_noise
from tests.stream.sources.scripted_source import ScriptedSource, fails, restarts
from whoplays.models.errors import EndpointError, SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.sources.base import Source, SourceSpec
from whoplays.stream.sources.remote.sender import (
    PACKET_SAMPLES,
    SEND_QUEUE_MESSAGES,
    Packetizer,
    Sender,
    SourceForwarder,
)

NOBODY = "tcp://127.0.0.1:1"


@pytest.mark.parametrize("endpoint", ["nowhere", "tcp://127.0.0.1:*", "tcp://127.0.0.1"])
def test_an_address_that_cannot_be_connected_to_is_refused(endpoint: str) -> None:
    with pytest.raises(EndpointError, match="connect to"):
        Sender(endpoint)


def test_when_the_queue_is_full_the_oldest_are_dropped_and_counted() -> None:
    sender = Sender(NOBODY)
    for message in cut(Packetizer("stage", "s16le"), make_noise((SEND_QUEUE_MESSAGES + 7) * PACKET_SAMPLES, 15)):
        sender.send(message, wait=False)
    assert (sender.waiting, sender.dropped_samples) == (SEND_QUEUE_MESSAGES, 7 * PACKET_SAMPLES)


def test_once_stopped_nobody_waits_for_room() -> None:
    sender = Sender(NOBODY)
    sender.stop()
    for message in cut(Packetizer("stage", "s16le"), make_noise((SEND_QUEUE_MESSAGES + 1) * PACKET_SAMPLES, 15)):
        sender.send(message, wait=True)
    assert sender.dropped_samples == PACKET_SAMPLES


def test_what_ends_the_thread_is_raised_to_who_waits_for_room() -> None:
    def fail(text: str) -> NoReturn:
        raise ZeroDivisionError(text)

    def send_on() -> NoReturn:
        messages = cut(Packetizer("stage", "s16le"), make_noise(SEND_QUEUE_MESSAGES * PACKET_SAMPLES, 15))
        with Sender(NOBODY, on_link=fail) as sender:
            while True:
                for message in messages:
                    sender.send(message, wait=True)

    with pytest.raises(ZeroDivisionError, match="waiting for"):
        send_on()


def test_and_on_leaving() -> None:
    failed = threading.Event()

    def fail(text: str) -> NoReturn:
        failed.set()
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError, match="waiting for"), Sender(NOBODY, on_link=fail):
        assert failed.wait(20)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.backoff.FIRST_PAUSE_S", 0.01)


def ends(source: ScriptedSource) -> Iterator[Block]:
    yield from ()


class Forwarding:
    """A forwarder of a scripted source that is opened attempt by attempt; nobody receives."""

    def __init__(self, *attempts: Callable[[], Source], reconnects: bool = True) -> None:
        left = list(attempts)

        def open_next() -> Source:
            return left.pop(0)()

        spec = SourceSpec("made", "made:", open_next, live=True, reconnects=reconnects)
        self.reports: list[str] = []
        self.sender = Sender(NOBODY)
        self.forwarder = SourceForwarder(spec, self.sender, "s16le", self.reports.append)


def absent() -> Source:
    raise SourceError("there is no such device")


def test_a_live_source_is_opened_again_until_it_ends() -> None:
    sources = [ScriptedSource([fails]), ScriptedSource([ends])]
    forwarding = Forwarding(lambda: sources[0], absent, lambda: sources[1])
    forwarding.forwarder.run()
    assert forwarding.reports == ["the cable was pulled; trying again", "there is no such device; trying again"]
    assert forwarding.sender.waiting == 2, "each session has an end"


def test_any_other_source_fails_for_good() -> None:
    forwarding = Forwarding(lambda: ScriptedSource([fails]), reconnects=False)
    with pytest.raises(SourceError, match="the cable was pulled"):
        forwarding.forwarder.run()


def test_a_new_session_is_sent_from_the_same_source() -> None:
    forwarding = Forwarding(lambda: ScriptedSource([restarts, ends]))
    forwarding.forwarder.run()
    assert forwarding.reports == ["the sender began anew"]
    assert forwarding.sender.waiting == 2


def test_a_lost_source_is_stopped_before_it_is_opened_again() -> None:
    """It may hold a port or a device, which the next one needs."""
    first, stopped = ScriptedSource([fails]), list[bool]()

    def open_second() -> Source:
        stopped.append(first.stopped.is_set())
        return ScriptedSource([ends])

    Forwarding(lambda: first, open_second).forwarder.run()
    assert stopped == [True]


def test_once_stopped_nothing_is_opened_again() -> None:
    source, opened = ScriptedSource([]), threading.Event()

    def open_first() -> Source:
        opened.set()
        return source

    forwarding = Forwarding(open_first)
    running = threading.Thread(target=forwarding.forwarder.run)
    running.start()
    assert opened.wait(20)
    forwarding.forwarder.stop()
    running.join(20)
    assert source.stopped.is_set()
    forwarding.forwarder.run()


def test_a_stop_while_the_source_is_opened_is_heeded() -> None:
    source = ScriptedSource([fails])

    def open_slowly() -> Source:
        forwarding.forwarder.stop()
        return source

    forwarding = Forwarding(open_slowly)
    forwarding.forwarder.run()
    assert forwarding.reports == []
    assert source.stopped.is_set()
