"""What happens to sources: many streams of one daemon, each with a fault of its own, all at the same time."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stream.conftest import make_concert
from tests.stream.daemon.daemon import serving, stream, write
from tests.stream.daemon.feeding import Feed
from tests.stream.faults import on_network, on_rtp
from tests.stream.faults.acts import Act, perform
from tests.stream.faults.broadcast import Broadcast
from tests.stream.faults.seen import SECOND
from tests.stream.sources.ffmpeg.servers import free_port
from whoplays.stream.pubsub.subscriber import Subscriber

pytestmark = pytest.mark.slow

Evening = dict[str, Act]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    concert = make_concert(SECOND)
    soundfile.write(folder / "clip.mp3", concert[: 2 * SECOND], SECOND, bitrate_mode="CONSTANT", compression_level=0.5)
    soundfile.write(folder / "long.wav", np.tile(concert, (10, 1)), SECOND)
    return folder


@pytest.fixture(scope="module")
def evening(model: Path, recordings: Path) -> Evening:
    """All acts, when they are over."""
    endpoint, clip = f"tcp://127.0.0.1:{free_port()}", (recordings / "clip.mp3").read_bytes()
    acts = [
        Act("bad-weather", Feed(impairment=on_rtp.BAD), on_rtp.bad_weather, "?jitter_ms=1000"),
        Act("cut-briefly", Feed(), on_rtp.cut_briefly),
        Act("cut-for-long", Feed(), on_rtp.cut_for_long),
        Act("replaced", Feed(), on_rtp.replace_sender),
        Act("garbage", Feed(), on_rtp.garbage),
        Act("wrong-rate", Feed(pace_hz=48_000), on_rtp.wrong_rate),
        Act("dropped", Broadcast(clip), on_network.drop),
        Act("stalled", Broadcast(clip), on_network.stall),
        Act("sender-killed", on_network.Box(recordings / "long.wav"), on_network.kill_sender),
        Act("subscribers", Feed(), partial(on_network.lose_subscribers, endpoint)),
    ]
    streams = "".join(stream(act.seen.stream, act.source) for act in acts)
    config = write(recordings / "concert.toml", model, streams, endpoint=endpoint)
    with ExitStack() as stack:
        for act in acts:
            stack.enter_context(act.part)
        stack.enter_context(serving(config))
        perform(stack.enter_context(Subscriber(endpoint)), acts)
    return {act.seen.stream: act for act in acts}


def test_bad_weather(evening: Evening, record_property: Record) -> None:
    """RTP: the network loses 2 % of the packets, and repeats or reorders others.

    A `gap`, cause `network`, for each loss, where it was and as long as it was, once late packets have been waited for
    (`jitter_ms`; here 1000). The session goes on.
    """
    evening["bad-weather"].check(record_property)


def test_cut_briefly(evening: Evening, record_property: Record) -> None:
    """RTP: the cable is out for a few seconds.

    `stalled` after 2 s. Then a `gap`, cause `network`, of the true length; the session goes on.
    """
    evening["cut-briefly"].check(record_property)


def test_cut_for_long(evening: Evening, record_property: Record) -> None:
    """RTP: the cable is out for more than 10 s.

    `stalled`, after 10 s `lost` ("no audio came for 10 s"). A `gap`, cause `network`, up to the new session.
    """
    evening["cut-for-long"].check(record_property)


def test_replaced(evening: Evening, record_property: Record) -> None:
    """RTP: the sender is restarted, or replaced by another one (a new SSRC).

    `stalled` if that takes 2 s. A `gap`, cause `network`, up to the new session.
    """
    evening["replaced"].check(record_property)


def test_garbage(evening: Evening, record_property: Record) -> None:
    """RTP: garbage, foreign and broken packets come to the port.

    No gap and no other state: `detail` says that packets are rejected, and why.
    """
    evening["garbage"].check(record_property)


def test_wrong_rate(evening: Evening, record_property: Record) -> None:
    """A source runs at another rate than it says, such as 48 000 Hz for 44 100.

    Within half a minute each `status` has the `detail` "it runs +8.8 % off its rate (48000 Hz for 44100); check it".
    """
    evening["wrong-rate"].check(record_property)


def test_dropped(evening: Evening, record_property: Record) -> None:
    """HTTP: the server closes the connection.

    When what had come is played, `lost` ("broke off: the server closed the connection"). It is opened again, after ¼ s,
    ½ s and so on up to half a minute: a `gap`, cause `network`, up to the new session.
    """
    evening["dropped"].check(record_property)


def test_stalled(evening: Evening, record_property: Record) -> None:
    """HTTP: the server sends nothing more, but keeps the connection.

    When what had come is played, `stalled` after 2 s, `lost` after 10 s. It is opened again: a `gap`, cause `network`,
    up to the new session.
    """
    evening["stalled"].check(record_property)


def test_sender_killed(evening: Evening, record_property: Record) -> None:
    """`whoplays send` is killed (`kill -9`) and started again.

    `stalled` after 2 s. A `gap`, cause `network`, up to the new session.
    """
    evening["sender-killed"].check(record_property)


def test_subscribers(evening: Evening, record_property: Record) -> None:
    """One subscriber is killed, and another one stands still.

    Nothing: no other subscriber loses a message, and no stream a sample.
    """
    evening["subscribers"].check(record_property)
