"""What is done to RTP senders, and to the packets on their way."""

import random
import socket
import time
from typing import Final

from tests.stream.daemon.feeding import FRAMES, SEED, Feed
from tests.stream.faults.acts import Script, until, wait
from tests.stream.faults.seen import Seen, is_state
from tests.stream.faults.times import Times, measure
from tests.stream.sources.rtp.packets import Impairment, impaired
from whoplays.stream.pubsub.messages import Gap, Status, Window

BAD: Final = Impairment(loss=0.02, duplication=0.02, delay=0.05, max_delay=4)


def bad_weather(seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(4), seen)
    gaps = seen.of(Gap)
    assert seen.causes == {"network"}
    assert len(seen.sessions) == 1
    # The same weather again: which packets did it lose, and is it these that the gaps are made of?
    numbers = [number.to_bytes(4, "big") for number in range(10_000)]
    lost = sorted({*range(10_000)} - {int.from_bytes(number, "big") for number in impaired(numbers, BAD, SEED)})
    missed = [at // FRAMES for gap in gaps for at in range(gap.start, gap.end, FRAMES)]
    assert len(missed) > 10
    assert all(gap.start % FRAMES == gap.end % FRAMES == 0 for gap in gaps)
    # A session may begin with a delayed packet: those that had overtaken it went out before anybody listened.
    later = [number for number in missed if number > BAD.max_delay]
    assert any([first + number for number in later] == lost[k : k + len(later)] for k, first in firsts(lost, later)), (
        f"missed {missed}, lost {lost[: len(missed) * 2]}"
    )
    late_s = [(gap.published_ns - seen.captured_at_ns(gap.end, 0)) / 1e9 for gap in gaps]
    return Times(told_s=max(late_s))


def firsts(lost: list[int], missed: list[int]) -> list[tuple[int, int]]:
    """Which packet may have been the session's first, if the first one missed was the k-th one lost."""
    return [(k, number - missed[0]) for k, number in enumerate(lost) if number >= missed[0]]


def garbage(seen: Seen, feed: Feed) -> Script:
    chance = random.Random(SEED)
    yield from until(seen.windows(1), seen)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        while not seen.windows(4)():
            for head in (b"", b"\x80\x0a", b"\x80\x60", b"\x81\xc8", b"\xbf\x8a"):
                stranger.sendto(head + chance.randbytes(chance.randrange(1400)), ("127.0.0.1", feed.port))
            yield
    assert seen.states == ["listening"]
    assert not seen.of(Gap)
    assert all(detail.startswith("packets are rejected") for detail in seen.details)
    return Times()


def cut_briefly(seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(1), seen)
    cut_ns = time.time_ns()
    feed.pause()
    yield from until(seen.told("stalled"), seen)
    mended_ns = time.time_ns()
    feed.resume()
    told = len(seen.of(Window))
    yield from until(seen.windows(told + 2), seen)
    assert seen.states == ["listening", "stalled", "listening"]
    assert len(seen.sessions) == 1
    assert seen.causes == {"network"}
    assert sum(gap.end - gap.start for gap in seen.of(Gap)) == feed.unsent * FRAMES
    return measure(seen, cut_ns, mended_ns, is_state("stalled"))


def cut_for_long(seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(1), seen)
    cut_ns = time.time_ns()
    feed.pause()
    yield from until(seen.told("stalled"), seen)
    yield from until(seen.told("lost"), seen)
    yield from wait(1.0)
    mended_ns = time.time_ns()
    feed.resume()
    yield from until(seen.windows(1, 1), seen)
    assert seen.states == ["listening", "stalled", "lost", "listening"]
    assert seen.details[0].startswith("no audio came for 1")
    assert seen.causes == {"network"}
    return measure(seen, cut_ns, mended_ns, is_state("stalled"), session=1)


def replace_sender(seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(1), seen)
    left_ns = time.time_ns()
    feed.pause()
    yield from until(seen.told("stalled"), seen)
    came_ns = time.time_ns()
    feed.resume(ssrc=2)
    yield from until(seen.windows(1, 1), seen)
    assert seen.states[:2] == ["listening", "stalled"]
    assert seen.states[-1] == "listening"
    assert seen.of(Status)[-1].counters.sessions == 2
    assert seen.causes == {"network"}
    return measure(seen, left_ns, came_ns, is_state("stalled"), session=1)


def wrong_rate(seen: Seen, feed: Feed) -> Script:
    yield from until(lambda: bool(seen.details), seen)
    assert seen.states == ["listening"]
    assert seen.details[0].startswith("it runs +8.")
    assert "off its rate (4" in seen.details[0]
    (first, *_), told = seen.of(Window), seen.of(Status)[-1]
    return Times(told_s=(told.published_ns - first.closed_ns) / 1e9 + 3.0)
