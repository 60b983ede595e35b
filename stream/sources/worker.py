"""A child process that hears, as its parent holds it."""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.worker_process import ExitMessage, Send, Task, Unpacker

PIPE_BYTES: Final = 1 << 20
"""Three seconds of audio, where the system grants it."""
PATIENCE_S: Final = 1.0
"""How long a child that was asked to end may take."""
_LAST_WORDS_BYTES: Final = 4096


class ChildProcess:
    """A fresh interpreter (not a fork: that cannot be done safely beside threads) that does a task.

    Its standard error is kept from ours, but for the last line, which tells what happened when it dies.

    Raises:
        SourceError: the system lets no process be started.
    """

    def __init__(self, task: Task) -> None:
        self._errors = b""
        try:
            self._pipe, theirs = os.pipe()
        except OSError as error:
            raise _unstarted(error) from error
        try:
            self._process = _start(theirs)
        except OSError as error:
            os.close(self._pipe)
            raise _unstarted(error) from error
        finally:
            os.close(theirs)
        if self._process.stdin is None or self._process.stderr is None:
            raise AssertionError("it was started with both")
        self._stdin: Final = self._process.stdin
        self._stderr: Final = self._process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._poll: Final = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)
        self._tell(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._pipe)
        self._stdin.close()
        self._stderr.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask it to end; may be called from any thread, also when it has ended."""
        self._process.terminate()

    def read(self, timeout_s: float) -> bytes | None:
        """What came through the pipe: None if nothing did in that time, nothing at all at its end."""
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout_s * 1000)}
        if ready - {self._pipe} and self._keep_errors() == b"":
            self._poll.unregister(self._stderr)
        return os.read(self._pipe, PIPE_BYTES) if self._pipe in ready else None

    def exit_description(self) -> str:
        """What became of a child that closed its pipe without a end_messages."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        self._keep_errors()
        code = self._process.returncode
        if code is None:
            fate = "went silent"
        elif code < 0:
            fate = f"was ended by {signal.Signals(-code).name}"
        else:
            fate = f"ended with status {code}"
        words = last_line(self._errors)
        return f"{fate}: {words}" if words else fate

    def _keep_errors(self) -> bytes | None:
        """Keep the end of what it said; returns what is new, None if nothing is, nothing at all at the end."""
        data: bytes | None = self._stderr.read(PIPE_BYTES)
        self._errors = (self._errors + (data or b""))[-_LAST_WORDS_BYTES:]
        return data

    def _tell(self, task: Task) -> None:
        # A child that is dead already is found out by whoever reads.
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(msgspec.json.encode(task) + b"\n")


def command(module: str, argument: str) -> list[str]:
    """What starts a module in a fresh interpreter, with `environment`."""
    return [sys.executable, "-P", "-m", module, argument]


def environment() -> dict[str, str]:
    """Ours, and that modules are where we find them, not in whatever folder a child is started in (`-P`)."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def _start(pipe: int) -> subprocess.Popen[bytes]:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return subprocess.Popen(  # noqa: S603
        command("whoplays.stream.sources.worker_process", str(pipe)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=(pipe,),
        env=environment(),
    )


def _unstarted(error: OSError) -> SourceError:
    return SourceError(f"no process can be started to listen with: {error.strerror}; close others, or raise the limits")


def last_line(errors: bytes) -> str:
    """The last line of what a process said on standard error, without any address's secrets."""
    lines = errors.decode(errors="replace").split("\n")
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return re.sub(r"\w+://[^\s'\"]+", lambda found: redact(found[0]), line)


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
        disconnect_cause: what to call it when the whole input goes away.
    """

    def __init__(
        self, work: str, arguments: dict[str, Any], *, name: str, uri: str, clock: ClockKind, disconnect_cause: GapCause
    ) -> None:
        self.name = name
        self.uri = uri
        self.clock: ClockKind = clock
        self.disconnect_cause: GapCause = disconnect_cause
        self.warning = ""
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
                if isinstance(frame, ExitMessage):
                    return self._part(frame)
                yield frame
            if data == b"" and not self._stopped:
                raise SourceError(f"{self.name} is heard no more: the process that heard it {child.exit_description()}")
        return None

    def _part(self, end_messages: ExitMessage) -> None:
        if end_messages.fate == "session_over":
            raise SessionOverError(end_messages.text)
        if end_messages.fate == "failed":
            raise SourceError(end_messages.text)
