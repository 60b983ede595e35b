"""`whoplays demo`: a short concert, published and shown by a subscriber in another process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

import whoplays
from whoplays.models.errors import EndpointError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.deadline import end_with_parent
from whoplays.stream.common.terminal import end_on_signals, stop_on_signals
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.registry import open_uri

CLIP: Final = Path(__file__).parents[1] / "demo" / "concert.ogg"
ENDPOINT: Final = "tcp://127.0.0.1:*"
HOP_SAMPLES: Final = SAMPLE_RATE_HZ
JOIN_S: Final = 20.0
END_S: Final = 20.0


def demo(clip: Annotated[Path, Parameter(show_default=False)] = CLIP, /, *, model: str = "default") -> None:
    """Recognise a bundled concert in real time, and show what a subscriber in another process receives.

    It fails unless the subscriber gets every message, up to the end of the stream. Ctrl-C ends the stream early.

    Args:
        clip: Another recording, instead of the bundled one.
        model: Another model.
    """
    source, recognizer = open_uri(str(clip)), Recognizer.load(model)
    with end_on_signals(), Publisher(ENDPOINT) as publisher, _subscriber(publisher.endpoint) as watcher:
        if not publisher.wait_for_subscriber(JOIN_S):
            raise EndpointError(f"the subscriber did not connect to {publisher.endpoint} within {JOIN_S:.0f} s")
        engine = Engine(publisher)
        engine.add(SourceSpec.opened(source), recognizer, StreamOptions(stream="demo", hop_samples=HOP_SAMPLES))
        with stop_on_signals(engine.stop_in_time):
            for _ in engine.run():
                pass
        engine.check()
        _check(watcher)


@contextmanager
def _subscriber(endpoint: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", f"from {__name__} import watch_demo; watch_demo({endpoint!r})"]
    # In a session of its own Ctrl-C does not reach it, so that it still receives how the stream ends.
    watcher = subprocess.Popen(command, start_new_session=True)  # noqa: S603  our own interpreter and module
    try:
        yield watcher
    finally:
        watcher.terminate()
        watcher.wait()


def watch_demo(endpoint: str) -> None:
    """Be the subscriber."""
    end_with_parent()
    whoplays.main(["watch", endpoint, "--until-end"])


def _check(watcher: subprocess.Popen[bytes]) -> None:
    try:
        code = watcher.wait(END_S)
    except subprocess.TimeoutExpired as error:
        raise EndpointError(f"the subscriber did not end within {END_S:.0f} s") from error
    if code:
        raise EndpointError("the subscriber did not receive the whole stream")
