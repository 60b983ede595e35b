"""Listening to a source, in one call."""

import re
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from models.errors import OptionError
from models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from stream.engine import Engine
from stream.file_source import Speed
from stream.level import SILENCE_DBFS
from stream.messages import Message
from stream.publisher import Publisher
from stream.recognizer import Recognizer
from stream.source import Source
from stream.sources import from_uri

WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE_HZ


def listen(
    source: str | Path | Source,
    *,
    stream: str = "main",
    model: str | Path | Recognizer = "default",
    hop_s: float = WINDOW_S,
    speed: Speed = "realtime",
    publish: str | None = None,
    silence_dbfs: float = SILENCE_DBFS,
    provider: str | None = None,
) -> Generator[Message]:
    """Listen to a source and iterate over who plays.

    Args:
        source: an audio file, `-` for raw PCM on standard input, or a source of your own.
        stream: the stable id of the stream.
        model: a name from the catalogue, a folder with an exported model, or a loaded recogniser.
        hop_s: seconds from the start of one window to the next, over 0 and up to 3.
        speed: play a file in `realtime`, or at `max` speed without losing anything.
        publish: a ZeroMQ address on which the messages are published as well.
        silence_dbfs: below this level a window is silence.
        provider: the onnxruntime provider, such as `cpu` or `cuda`.

    Returns:
        The messages, as they would go over the wire; closing the iterator ends the listening.

    Raises:
        WhoplaysError: the source, the model, the provider or an option is of no use; see its subclasses.
    """
    heard = from_uri(str(source), speed=speed) if isinstance(source, str | Path) else source
    publisher = Publisher(publish) if publish else None
    engine = open_engine(
        heard,
        stream=stream,
        model=model,
        hop_s=hop_s,
        silence_dbfs=silence_dbfs,
        provider=provider,
        publisher=publisher,
    )
    return _run(engine, publisher)


def open_engine(
    source: Source,
    *,
    stream: str,
    model: str | Path | Recognizer,
    hop_s: float,
    silence_dbfs: float,
    provider: str | None,
    publisher: Publisher | None,
) -> Engine:
    """An engine for a source, its options checked and its model loaded; see `listen`."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", stream):
        raise OptionError(f"stream name {stream!r} makes no sense; use letters, digits, dots, dashes, underscores")
    if not silence_dbfs <= 0.0:
        raise OptionError(f"a silence gate at {silence_dbfs} dBFS makes no sense; give 0 or less")
    hop_samples = _hop_samples(hop_s)
    recognizer = model if isinstance(model, Recognizer) else Recognizer.load(model, provider)
    return Engine(
        source,
        recognizer,
        stream=stream,
        hop_samples=hop_samples,
        silence_dbfs=silence_dbfs,
        publisher=publisher,
    )


def _run(engine: Engine, publisher: Publisher | None) -> Generator[Message]:
    with publisher or nullcontext():
        yield from engine.run()


def _hop_samples(hop_s: float) -> int:
    if not 1 / SAMPLE_RATE_HZ <= hop_s <= WINDOW_S:
        raise OptionError(f"a hop of {hop_s} s makes no sense; give more than 0 and at most {WINDOW_S:.0f} s")
    return round(hop_s * SAMPLE_RATE_HZ)
