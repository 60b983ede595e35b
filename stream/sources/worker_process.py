"""The child process that hears: `python -m whoplays.stream.sources.worker_process PIPE`, as `child_process` starts it.

Standard input brings one line of JSON, what to do; after that its end says that the parent is gone.
"""

import importlib
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, Literal, NamedTuple, get_args

import msgspec
import numpy as np

from whoplays.models.errors import WhoplaysError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.base import SessionOverError

ExitReason = Literal["ended", "failed", "session_over"]
"""How session came to its end: on purpose, by a failure, or because the sender began anew."""


class ExitMessage(NamedTuple):
    """The last that a child says."""

    fate: ExitReason
    text: str = ""
    """What went wrong, in one line."""


_HEADER: Final = struct.Struct("<BBxxIq")
"""What it is, why it was lost, samples of each channel or bytes of text, when it was heard."""
_BLOCK: Final = 0
_FATES: Final[tuple[ExitReason, ...]] = get_args(ExitReason)
_CAUSES: Final[tuple[GapCause | None, ...]] = (None, *get_args(GapCause))
_SAMPLE_BYTES: Final = 8


def pack(frame: Block | ExitMessage) -> bytes:
    """A frame as it goes through the pipe."""
    if isinstance(frame, ExitMessage):
        text = frame.text.encode()
        return _HEADER.pack(1 + _FATES.index(frame.fate), 0, len(text), 0) + text
    header = _HEADER.pack(_BLOCK, _CAUSES.index(frame.lost), frame.audio.shape[1], frame.captured_at_ns)
    return header if frame.lost else header + np.ascontiguousarray(frame.audio, np.float32).tobytes()


class Unpacker:
    """Makes frames of what comes through the pipe, in pieces of any size."""

    def __init__(self) -> None:
        self._data: Final = bytearray()

    def feed(self, data: bytes) -> Iterator[Block | ExitMessage]:
        """The frames that `data` completes."""
        self._data.extend(data)
        while len(self._data) >= _HEADER.size:
            what, why, count, captured_at_ns = _HEADER.unpack_from(self._data)
            end = _HEADER.size + _content_bytes(what, why, count)
            if len(self._data) < end:
                return
            content = bytes(self._data[_HEADER.size : end])
            del self._data[:end]
            if what == _BLOCK:
                yield Block(_audio(content, count), captured_at_ns, _CAUSES[why])
            else:
                yield ExitMessage(_FATES[what - 1], content.decode())


def _content_bytes(what: int, why: int, count: int) -> int:
    if what != _BLOCK:
        return count
    return 0 if why else count * _SAMPLE_BYTES


def _audio(content: bytes, samples: int) -> Audio:
    if not content:
        return np.zeros((2, samples), np.float32)
    return np.frombuffer(content, np.float32).reshape(2, samples)


Send = Callable[[Block], None]
"""Hands one block to the parent; waits while the pipe is full. For one thread."""

PARENT_GONE: Final = 3
"""The exit status of a child whose parent went away."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do."""

    work: str
    """`package.module:function`; called with a `Send`, then with the arguments by name."""
    arguments: dict[str, Any]


def run(task: Task, send: Send) -> ExitMessage:
    """Do the work, and say how it ended."""
    module, _, name = task.work.partition(":")
    try:
        getattr(importlib.import_module(module), name)(send, **task.arguments)
    except SessionOverError as error:
        return ExitMessage("session_over", str(error))
    except WhoplaysError as error:
        return ExitMessage("failed", str(error))
    return ExitMessage("ended")


def main() -> None:
    """Read the task, hear, and leave when there is no more to hear or nobody to tell it to."""
    # Ctrl-C in a terminal is meant for the parent, which then ends us as it sees fit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = int(sys.argv[1])
    os.set_inheritable(pipe, False)
    with open(0, "rb", buffering=0, closefd=False) as orders, open(pipe, "wb", buffering=0) as out:
        task = msgspec.json.decode(orders.readline(), type=Task)
        threading.Thread(target=_leave_with_parent, name="whoplays-parent", daemon=True).start()
        try:
            _write(out, pack(run(task, lambda block: _write(out, pack(block)))))
        except BrokenPipeError:
            os._exit(PARENT_GONE)


def _write(out: BinaryIO, data: bytes) -> None:
    """All of it: a write into a pipe can be cut short by a signal."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    # Not by an exception: the main thread may be deep inside a library that never returns.
    os._exit(PARENT_GONE)


if __name__ == "__main__":
    main()
