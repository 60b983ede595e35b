"""Recorded messages, published again with their timing, as if they were of now."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from whoplays.models.errors import DataError
from whoplays.stream.common.paths import check_regular
from whoplays.stream.pubsub.messages import KINDS, Message, MessageSequencer, Status, decode
from whoplays.stream.pubsub.publisher import Publisher

LONGEST_LINE: Final = 1 << 20
_TIMES: Final = frozenset({"published_ns", "closed_ns", "at_ns", "since_ns"})
"""Fields that are wall times."""


def read_recording(path: Path) -> Iterator[Message]:
    """The messages of a file with one in each line, as `whoplays listen --json` prints them.

    Raises:
        DataError: the file cannot be read, or a line is no message.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if line.strip():
                    yield _read(path, number, line)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _read(path: Path, number: int, line: bytes) -> Message:
    try:
        return decode(line)
    except msgspec.DecodeError as error:
        raise DataError(f"{path}, line {number} is no message: {error}") from error


def publish_again(
    recorded: Iterable[Message], publisher: Publisher, stopped: threading.Event, speed: float = 1.0
) -> bool:
    """Publish recorded messages with the pauses that were between them; sessions and numbers are new.

    Args:
        recorded: in the order in which they were published.
        publisher: what sends them.
        stopped: ends it before all are published.
        speed: how many times as fast as they came.

    Returns:
        Whether there was any.
    """
    clock: _Clock | None = None
    sequencers: dict[tuple[str, str], MessageSequencer] = {}
    for message in recorded:
        clock = clock or _Clock(message.published_ns, time.time_ns(), speed)
        if stopped.wait(max(0.0, (clock.now_for(message.published_ns) - time.time_ns()) / 1e9)):
            break
        key = message.stream, message.session
        sequencer = sequencers.setdefault(key, MessageSequencer(message.stream))
        publisher.send(_renewed(message, clock, sequencer), wait=True)
    return clock is not None


class _Clock:
    def __init__(self, recorded_ns: int, now_ns: int, speed: float) -> None:
        self._recorded_ns, self._now_ns, self._speed = recorded_ns, now_ns, speed

    def now_for(self, recorded_ns: int) -> int:
        """The wall time that stands for a recorded one."""
        return self._now_ns + round((recorded_ns - self._recorded_ns) / self._speed)

    def shift(self, value: Any) -> Any:
        """The same with wall times of now; 0 is that of an old publisher which does not say."""
        if isinstance(value, dict):
            return {
                name: self.now_for(each) if name in _TIMES and each else self.shift(each)
                for name, each in value.items()
            }
        return [self.shift(each) for each in value] if isinstance(value, list | tuple) else value


def _renewed(message: Message, clock: _Clock, sequencer: MessageSequencer) -> Message:
    known = {kind: seq for kind, seq in sequencer.last_seq.items() if kind != "status"}
    fields = clock.shift(msgspec.to_builtins(message)) | sequencer.head(KINDS[message.kind])
    if isinstance(message, Status):
        fields["last_seq"] = known
    renewed: Message = msgspec.convert(fields, KINDS[message.kind])
    return renewed
