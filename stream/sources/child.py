"""A source that hears in a child process, which can be ended whatever it is stuck in."""

import threading
from collections.abc import Iterator
from typing import Any, Final

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block, Cause, ClockKind
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.child_main import Send, Task
from whoplays.stream.sources.child_process import ChildProcess
from whoplays.stream.sources.child_wire import Farewell, Unpacker

__all__ = ["ChildSource", "Send"]

POLL_S: Final = 0.1


class ChildSource:
    """A live source whose blocks come from a process of its own, one for each call of `blocks`.

    Native libraries can block for ever, crash, or know only the devices there were when they were loaded; in a child
    none of that matters. Both processes have the same monotonic clock.

    Args:
        work: `package.module:function`, called in the child as `function(send, **arguments)`; whatever
            `WhoplaysError` it raises is raised here.
        arguments: for it; what JSON can carry.
        name: what people call the source.
        uri: where it is, without any secret.
        clock: what its heard-times are made of.
        outage: what to call it when the whole input goes away.
    """

    def __init__(
        self, work: str, arguments: dict[str, Any], *, name: str, uri: str, clock: ClockKind, outage: Cause
    ) -> None:
        self.name = name
        self.uri = uri
        self.clock: ClockKind = clock
        self.outage: Cause = outage
        self.remark = ""
        self.live = True
        self._task: Final = Task(work=work, arguments=arguments)
        self._lock: Final = threading.Lock()
        self._stopped = False
        self._child: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """The id of the newest child, if there was any."""
        return self._child.pid if self._child else None

    def blocks(self) -> Iterator[Block]:
        """What the child hears; see `Source`.

        Raises:
            SourceError: the child says so, or died.
            SessionOverError: the child says so; a new child hears what follows.
        """
        child = self._start()
        if child is None:
            return
        with child:
            yield from self._hear(child)

    def stop(self) -> None:
        """End the child, and `blocks` with it; see `Source`."""
        with self._lock:
            self._stopped = True
            if self._child:
                self._child.terminate()

    def _start(self) -> ChildProcess | None:
        with self._lock:
            if self._stopped:
                return None
            self._child = ChildProcess(self._task)
            return self._child

    def _hear(self, child: ChildProcess) -> Iterator[Block]:
        unpacker = Unpacker()
        while not self._stopped:
            data = child.read(POLL_S)
            for frame in unpacker.feed(data or b""):
                if isinstance(frame, Farewell):
                    return self._part(frame)
                yield frame
            if data == b"" and not self._stopped:
                raise SourceError(f"{self.name} is heard no more: the process that heard it {child.post_mortem()}")
        return None

    def _part(self, farewell: Farewell) -> None:
        if farewell.fate == "session_over":
            raise SessionOverError(farewell.text)
        if farewell.fate == "failed":
            raise SourceError(farewell.text)
