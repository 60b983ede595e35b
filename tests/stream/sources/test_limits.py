"""The limits in docs/remote-audio.md are those of the code."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ
from whoplays.stream.cli.send import send
from whoplays.stream.sources.remote import protocol, receiver, sender
from whoplays.stream.sources.rtp import jitter
from whoplays.stream.sources.rtp import receiver as rtp_receiver

PAGE: Final = Path(__file__).parents[3] / "docs" / "remote-audio.md"
TABLE: Final = re.compile(r"(?<=^\| of \| limit \| value \|\n\|---\|---\|---\|\n)(?:\|.*\n)*", re.MULTILINE)
QUEUE_S: Final = sender.SEND_QUEUE_MESSAGES * sender.PACKET_SAMPLES / SAMPLE_RATE_HZ


def rows() -> Iterator[tuple[str, str, str]]:
    yield "`whoplays send`", "audio in a message", f"{1000 * sender.PACKET_SAMPLES / SAMPLE_RATE_HZ:g} ms"
    yield "`whoplays send`", "audio in its queue", f"{QUEUE_S:g} s"
    yield "`zmq://`", "sample rate", f"{RATES_HZ[0]} to {RATES_HZ[-1]} Hz"
    yield "`zmq://`", "channels", f"1 to {MOST_CHANNELS}"
    yield "`zmq://`", "a message", f"{protocol.MAX_FRAME_BYTES >> 20} MiB, {protocol.MAX_PACKET_S:g} s"
    yield "`zmq://`", "longest gap within a session", f"{receiver.MAX_GAP_S:g} s"
    yield "`zmq://`", "a silent sender times out", f"after {receiver.SENDER_TIMEOUT_NS / 1e9:g} s"
    yield "`zmq://`", "the same, if no more than one is connected", f"after {receiver.SOLE_SENDER_TIMEOUT_NS / 1e9:g} s"
    yield "`rtp://`", "depth of the jitter buffer, unless `jitter_ms` is given", f"{jitter.DEFAULT_DEPTH_MS} ms"
    yield "`rtp://`", "`jitter_ms`", f"0 to {jitter.MAX_DEPTH_MS} ms"
    yield "`rtp://`", "longest gap within a session", f"{rtp_receiver.MAX_GAP_S:g} s"
    yield "`rtp://`", "a silent sender times out", f"after {rtp_receiver.SENDER_TIMEOUT_NS / 1e9:g} s"


def test_the_page_has_the_limits_of_the_code() -> None:
    """With WHOPLAYS_UPDATE_DOCS=1 in the environment they are written anew."""
    page = PAGE.read_text(encoding="utf-8")
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows())
    if os.environ.get("WHOPLAYS_UPDATE_DOCS") == "1":
        PAGE.write_text(TABLE.sub(table, page), encoding="utf-8")
    else:
        assert TABLE.findall(page) == [table], f"run: WHOPLAYS_UPDATE_DOCS=1 python -m pytest {__file__}"


def test_so_has_the_help_of_send() -> None:
    assert f"up to {QUEUE_S:g} s of audio wait" in (send.__doc__ or "")
