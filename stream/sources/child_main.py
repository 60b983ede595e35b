"""The child process that hears: `python -m whoplays.stream.sources.child_main PIPE`, as `child_process` starts it.

Standard input brings one line of JSON, what to do; after that its end says that the parent is gone.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import msgspec

from whoplays.models.errors import WhoplaysError
from whoplays.stream.audio.block import Block
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.child_wire import Farewell, pack

Send = Callable[[Block], None]
"""Hands one block to the parent; waits while the pipe is full. For one thread."""

PARENT_GONE: Final = 3
"""The exit status of a child whose parent went away."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do."""

    work: str
    """`package.module:function`; called with a `Send`, then with the arguments by name."""
    arguments: dict[str, Any]


def run(task: Task, send: Send) -> Farewell:
    """Do the work, and say how it ended."""
    module, _, name = task.work.partition(":")
    try:
        getattr(importlib.import_module(module), name)(send, **task.arguments)
    except SessionOverError as error:
        return Farewell("session_over", str(error))
    except WhoplaysError as error:
        return Farewell("failed", str(error))
    return Farewell("ended")


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
