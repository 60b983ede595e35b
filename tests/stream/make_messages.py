"""Messages to test with."""

import itertools
from collections.abc import Iterable

from whoplays.stream.pubsub.messages import Counters, End, Gap, Message, ModelInfo, Notice, SourceInfo, Status


def take(items: Iterable[Message | Notice], count: int) -> list[Message | Notice]:
    """The next ones."""
    return list(itertools.islice(items, count))


def make_gap(seq: int, *, session: str = "one", stream: str = "hall") -> Gap:
    return Gap(stream=stream, session=session, seq=seq, published_ns=1, start=0, end=100, cause="overload")


def make_end(seq: int, *, session: str = "one", stream: str = "hall") -> End:
    return End(stream=stream, session=session, seq=seq, published_ns=1, reason="finished", detail="", final=100)


def make_status(seq: int, *, session: str = "one", stream: str = "hall", **last_seq: int) -> Status:
    return Status(
        stream=stream,
        session=session,
        seq=seq,
        published_ns=1,
        source=SourceInfo(name="concert.wav", uri="file:///concert.wav"),
        state="listening",
        sample_rate_hz=44_100,
        window_samples=132_300,
        hop_samples=132_300,
        model=ModelInfo(name="tiny", version="0.1", sha256="0123456789ab"),
        labels=("piano", "violin"),
        thresholds=(0.5, 0.5),
        provider="cpu",
        counters=Counters(
            elapsed_samples=0, heard_samples=0, lost_samples=0, windows=0, gaps=0, dropped_windows=0, dropped_messages=0
        ),
        lag_ns=0,
        last_seq=last_seq,
    )
