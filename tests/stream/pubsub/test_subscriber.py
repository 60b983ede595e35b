"""Subscribers, and what they notice, over real sockets."""

import asyncio
import itertools
import select

import msgspec
import pytest
import zmq

from tests.stream.make_messages import make_end, make_gap, make_status, take
from whoplays.models.errors import EndpointError, OptionError
from whoplays.stream.pubsub.messages import Event, Message, Notice, Playing, State, Status
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import AsyncSubscriber, Losses, Subscriber

JOIN_S = 20


@pytest.mark.parametrize(
    ("messages", "missing"),
    [
        (map(make_gap, range(5)), [0] * 5),
        (map(make_gap, (3, 4, 8)), [0, 0, 3]),
        ([make_status(0), make_status(1, gap=2), make_gap(3)], [0, 3, 0]),
        # Of the first session, what came before is not lost.
        ([make_status(7, gap=40), make_gap(41), make_gap(43)], [0, 0, 1]),
        ([make_gap(10), make_gap(0, session="two"), make_gap(2, session="two")], [0, 0, 1]),
        # Twice, or late: that is no loss, and does not make up for one.
        ([*map(make_gap, (3, 3, 5, 4, 6))], [0, 0, 1, 0, 0]),
        ([make_status(0, gap=3), make_gap(3), make_gap(4)], [0, 0, 0]),
        (
            [
                *map(make_gap, (7, 8)),
                make_gap(5, session="two"),
                make_status(2, session="two", gap=6, event=0),
                make_status(0, session="three"),
                make_gap(0, session="three"),
            ],
            [0, 0, 5, 2 + 1 + 1, 0, 0],
        ),
    ],
)
def test_losses_are_counted_by_seq(messages: list[Message], missing: list[int]) -> None:
    losses = Losses()
    assert [losses.missing(message) for message in messages] == missing


def test_losses_of_other_kinds_do_not_count() -> None:
    losses = Losses(("event",))
    messages: list[Message] = [make_status(0, event=0, gap=0), make_gap(7), make_status(9, event=2, gap=9)]
    assert [losses.missing(message) for message in messages] == [0, 0, 2]


def test_stream_is_not_mistaken_for_another_that_begins_like_it(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, "violin") as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0, stream="violin2"))
        publisher.send(make_gap(0, stream="violin"))
        assert take(subscriber, 1) == [make_gap(0, stream="violin")]


@pytest.mark.parametrize("streams", [["hall", "foyer"], [], "hall"])
def test_only_the_chosen_kinds_of_the_chosen_streams_are_returned(publisher: Publisher, streams: list[str]) -> None:
    sent = [
        message
        for name in ("foyer", "hall", "stage")
        for message in (make_status(0, stream=name, window=5), make_gap(0, stream=name), make_end(0, stream=name))
    ]
    with Subscriber(publisher.endpoint, streams=streams, kinds={"gap", "status"}) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in (*sent, make_status(1, stream="hall", gap=0)):
            publisher.send(message)
        last = make_status(1, stream="hall", gap=0)
        received = list(itertools.takewhile(lambda item: item != last, subscriber))
    chosen = [message for message in sent if not streams or message.stream in streams]
    assert received == [message for message in chosen if message.kind != "end"]
    assert subscriber.lost == 0


def test_heartbeats_show_losses_and_silence_although_nobody_asks_for_them(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, "hall", kinds=["event"], silence_s=0.5) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_status(0))
        publisher.send(make_status(3, event=1, gap=3))
        assert [(item.kind, item.count) for item in take(subscriber, 2) if isinstance(item, Notice)] == [
            ("notice", 2),
            ("notice", 0),
        ]
        publisher.send(make_end(0))
        assert subscriber.poll(1.0) is None, "an ended stream may be silent"


def test_poll_waits_no_longer_than_it_is_told(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        assert subscriber.poll() is None
        assert subscriber.poll(0.01) is None
        publisher.send(make_gap(0))
        assert subscriber.poll(JOIN_S) == make_gap(0)


def test_select_tells_when_to_poll(publisher: Publisher) -> None:
    received: list[Message | Notice] = []
    with Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        publisher.send(make_gap(1))
        while len(received) < 2:
            assert select.select([subscriber], [], [], JOIN_S)[0] == [subscriber]
            while item := subscriber.poll():
                received.append(item)
    assert received == [make_gap(0), make_gap(1)]


def test_asyncio_iterates_while_other_tasks_run(publisher: Publisher) -> None:
    async def receive() -> tuple[list[Message | Notice], int]:
        received, turns = list[Message | Notice](), 0

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with AsyncSubscriber(publisher.endpoint, "hall", silence_s=0.3) as subscriber:
            beside = asyncio.create_task(take_turns())
            assert await asyncio.to_thread(publisher.wait_for_subscriber, JOIN_S)
            assert await subscriber.poll(0.01) is None
            for seq in range(100):
                publisher.send(make_gap(seq))
            async for item in subscriber:
                received.append(item)
                if isinstance(item, Notice):
                    break
            beside.cancel()
        return received, turns

    received, turns = asyncio.run(receive())
    assert received[:-1] == list(map(make_gap, range(100)))
    assert isinstance(received[-1], Notice)
    assert (received[-1].what, turns > 100) == ("silent", True)


def test_late_subscriber_has_lost_nothing_and_then_sees_losses(publisher: Publisher) -> None:
    for seq in range(10):
        publisher.send(make_gap(seq))
    with Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in (make_status(4, gap=9), make_gap(10), make_gap(13)):
            publisher.send(message)
        received = list(itertools.takewhile(lambda item: item != make_gap(13), subscriber))
        notice = received[-1]
        assert make_gap(10) in received
        assert isinstance(notice, Notice)
        assert (notice.what, notice.stream, notice.count) == ("lost", "hall", 2)
        assert subscriber.lost == 2


def test_silence_is_noticed_once(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, silence_s=0.1) as subscriber:
        (notice,) = take(subscriber, 1)
        assert isinstance(notice, Notice)
        assert notice.what == "silent"
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        assert take(subscriber, 1) == [make_gap(0)]


def test_missing_stream_is_told_from_a_missing_publisher(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, "hal", silence_s=0.5) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0, stream="hall"))
        (notice,) = take(subscriber, 1)
    assert isinstance(notice, Notice)
    assert notice.text.startswith(f"nothing of stream hal came from {publisher.endpoint} for 0 s; whoplays watch")
    assert "running there" not in notice.text
    with Subscriber("tcp://127.0.0.1:1", "hal", silence_s=0.1) as subscriber:
        (notice,) = take(subscriber, 1)
    assert isinstance(notice, Notice)
    assert notice.text == "nothing came from tcp://127.0.0.1:1 for 0 s; is whoplays listen running there?"


def test_unknown_kinds_and_fields_are_ignored_and_the_unreadable_is_noticed() -> None:
    with zmq.Context() as context, context.socket(zmq.XPUB) as xpub:
        port = xpub.bind_to_random_port("tcp://127.0.0.1")
        with Subscriber(f"tcp://127.0.0.1:{port}") as subscriber:
            assert xpub.poll(JOIN_S * 1000)
            known = msgspec.to_builtins(make_gap(0)) | {"colour": "blue"}
            xpub.send_multipart([b"whoplays/1/hall/weather/", b"{}"])
            xpub.send_multipart([b"whoplays/1/hall/gap/", b"nonsense"])
            xpub.send_multipart([b"whoplays/1/hall/gap/", b'{"kind":"gap","x":' + 100_000 * b"["])
            xpub.send_multipart([b"whoplays/1/hall/gap/"])
            xpub.send_multipart([b"whoplays/1/hall/gap/", msgspec.json.encode(known).replace(b"one", b"\xff")])
            xpub.send_multipart([b"whoplays/1/hall/gap/", msgspec.json.encode(known)])
            items = take(subscriber, 5)
        assert [item.what for item in items if isinstance(item, Notice)] == 4 * ["unreadable"]
        assert items[-1] == make_gap(0)


def test_malformed_address_and_unknown_kind_are_refused() -> None:
    with pytest.raises(EndpointError, match=r"^address to connect to must be like .*, got 'nowhere'$"):
        Subscriber("nowhere")
    with pytest.raises(OptionError, match="kind 'windows' not found in the protocol; it has: status, window, event"):
        Subscriber(kinds=["windows"])  # type: ignore[list-item]


def test_a_subscriber_knows_who_plays_and_when_it_cannot_know(publisher: Publisher) -> None:
    def status(state: State, seq: int, playing: tuple[Playing, ...], event: int) -> Status:
        return msgspec.structs.replace(make_status(seq, event=event), state=state, playing=playing)

    piano, violin = (
        Playing(id=number, label=name, since=7, since_ns=8) for number, name in enumerate(("piano", "violin"))
    )
    begins = Event(
        stream="hall", session="one", published_ns=1, peak=0.9, seq=4, id=0, label="piano", phase="start", at=7, at_ns=8
    )
    steps: list[tuple[Message, list[tuple[Playing, ...] | None]]] = [
        (begins, [None]),
        (status("listening", 3, (piano,), event=4), [(piano,)]),
        (msgspec.structs.replace(begins, seq=5, id=1, label="violin", phase="start", at=7, at_ns=8), [(piano, violin)]),
        (msgspec.structs.replace(begins, seq=6, id=0, label="piano", phase="end", at=9, at_ns=9), [(violin,)]),
        (status("stalled", 4, (violin,), event=6), [None]),
        (status("listening", 5, (violin,), event=6), [(violin,)]),
        # One is lost: not known, once the notice of it is returned, until the next status.
        (msgspec.structs.replace(begins, seq=8, id=2, label="piano", phase="start", at=9, at_ns=9), [None, None]),
        (status("silent", 6, (), event=8), [()]),
        (make_end(0), [None]),
    ]
    with Subscriber(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        assert subscriber.playing("hall") is None
        for message, known in steps:
            publisher.send(message)
            for playing in known:
                next(subscriber)
                assert subscriber.playing("hall") == playing, message


def test_nobody_is_known_to_play_while_the_publisher_is_silent(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, silence_s=0.3) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(msgspec.structs.replace(make_status(0), playing=()))
        next(subscriber)
        assert subscriber.playing("hall") == ()
        assert isinstance(next(subscriber), Notice)
        assert subscriber.playing("hall") is None
