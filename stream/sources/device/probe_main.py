"""Asks the sound system, in a child process that `probe` starts with a question as its argument."""

import os
import sys
import time
from collections.abc import Iterator

import msgspec
import numpy as np

from whoplays.models.errors import WhoplaysError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import measure
from whoplays.stream.audio.resample import Converter
from whoplays.stream.sources.device.names import DeviceRequest
from whoplays.stream.sources.device.portaudio import Stream, inputs, listening
from whoplays.stream.sources.device.probe import Answer, ProbeResult, Question


def answer(question: Question) -> Answer:
    """What was asked for, or why it could not be found out."""
    try:
        if question.selector is None:
            return Answer(inputs=tuple(inputs().values()))
        with listening(DeviceRequest(question.selector, question.selection, question.rate_hz)) as stream:
            return Answer(heard=_hear(stream, question))
    except WhoplaysError as error:
        return Answer(error=str(error))


def _hear(stream: Stream, question: Question) -> ProbeResult:
    converter = Converter(stream.rate_hz, stream.channels, question.selection)
    pieces = [converter.convert(frames) for frames in _frames(stream, question.listen_s)]
    audio = np.concatenate([np.empty((2, 0), np.float32), *pieces], axis=1)
    return ProbeResult(
        input=stream.input,
        dbfs=measure(audio).dbfs if audio.size else None,
        silent=not audio.any(),
        adc=stream.clock.proven,
    )


def _frames(stream: Stream, listen_s: float) -> Iterator[Audio]:
    captured = stream.take(2 * listen_s)
    end_s = time.monotonic() + listen_s
    while captured is not None:
        yield captured.frames
        left_s = end_s - time.monotonic()
        captured = stream.take(left_s) if left_s > 0 else None


def main() -> None:
    """Answer, and leave without waiting for drivers that do not come back."""
    found = answer(msgspec.json.decode(sys.argv[1], type=Question))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
