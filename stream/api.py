"""Listening to a source, in one call."""

from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from whoplays.models.errors import SourceError
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import WINDOW_S, Sensitivity, StreamOptions, hop_samples, options_for
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Message
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.base import Source, SourceSpec, Speed
from whoplays.stream.sources.registry import CHOICES, open_now


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
    sensitivity: Sensitivity = "normal",
    frames: bool = False,
) -> Generator[Message]:
    """Listen to a source and iterate over the messages about it.

    Args:
        source: an audio file, an address such as `device:` or `rtp://:5004`, `-` for standard input, or a
            source of your own.
        stream: the stable id of the stream.
        model: a name from the catalogue, a folder with an exported model, or a loaded recogniser.
        hop_s: seconds from the start of one window to the next, over 0 and up to 3.
        speed: play a file in `realtime`, or at `max` speed without losing anything.
        publish: a ZeroMQ address on which the messages are published as well.
        silence_dbfs: below this level a window is silence.
        provider: the onnxruntime provider, such as `cpu` or `cuda`.
        sensitivity: how many errors are accepted; `low`: fewer false ones, more missed; `high`: the other way round.
        frames: whether windows carry the probabilities within them as well, of a model that gives them.

    Returns:
        The messages, as they would go over the wire; closing the iterator ends the listening.

    Raises:
        WhoplaysError: the source, the model, the provider or an option is of no use; see its subclasses.
    """
    publisher = Publisher(publish) if publish else None
    spec = _open(source, speed)
    options: dict[str, Any] = {
        "stream": stream,
        "model": model,
        "hop_s": hop_s,
        "silence_dbfs": silence_dbfs,
        "provider": provider,
        "sensitivity": sensitivity,
        "frames": frames,
    }
    messages = _run(spec, publisher, options)
    # What is wrong is raised here, and the source closed; from here on closing the iterator closes it.
    next(messages)
    return messages


def _open(source: str | Path | Source, speed: Speed) -> SourceSpec:
    if isinstance(source, str | Path):
        return open_now(str(source), speed)
    if not callable(getattr(source, "blocks", None)):
        raise SourceError(f"source must be {CHOICES}, or have the methods of whoplays' sources; got {source!r}")
    return SourceSpec.opened(source)


def open_engine(
    spec: SourceSpec,
    *,
    stream: str,
    model: str | Path | Recognizer,
    hop_s: float,
    silence_dbfs: float,
    provider: str | None,
    sensitivity: Sensitivity,
    frames: bool,
    publisher: Publisher | None,
) -> Engine:
    """An engine for a source, its options checked and its model loaded; see `listen`."""
    options = StreamOptions(stream=stream, hop_samples=hop_samples(hop_s), silence_dbfs=silence_dbfs, frames=frames)
    recognizer = model if isinstance(model, Recognizer) else Recognizer.load(model, provider)
    engine = Engine(publisher)
    engine.add(spec, recognizer, options_for(recognizer.card, options, sensitivity))
    return engine


def _run(spec: SourceSpec, publisher: Publisher | None, options: dict[str, Any]) -> Generator[Any]:
    """Nothing, once all is well, then the messages."""
    try:
        engine = open_engine(spec, publisher=publisher, **options)
        yield None
    except BaseException:
        # It is open, and nobody else will close it.
        spec.open().stop()
        raise
    with publisher or nullcontext():
        yield from engine.run()
    engine.check()
