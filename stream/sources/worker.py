"""A source in a child process: the parent's end and the child's.

Native libraries can block for ever, crash, or know only the devices there were when they were loaded; in a process of
its own none of that matters. The child is a fresh interpreter: a fork is not safe beside threads, and multiprocessing's
spawn would run a user's script again and leave standard error to the terminal. Standard input brings it one line of
JSON, what to do; after that the end of standard input says that the parent is gone. Both have the same monotonic clock.
"""

import contextlib
import fcntl
import importlib
import multiprocessing
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
import numpy as np

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.common.uri import clean
from whoplays.stream.sources.base import RecordingError, SessionOverError

PIPE_BYTES: Final = 1 << 20
"""Three seconds of audio, where the system grants it."""
EXIT_S: Final = 1.0
"""How long a child that has closed its pipe may take to exit."""
STDERR_BYTES: Final = 4096
PARENT_GONE: Final = 3
"""The exit status of a child whose parent is gone."""
POLL_S: Final = 0.1
MEMORY_BYTES: Final = 1 << 30
"""What a child may have of its own; it takes about a tenth, most of it for numpy and FFmpeg."""

Send = Callable[[Block], None]
"""Sends a block to the parent; waits while the pipe is full. For one thread."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do."""

    function: str
    """`package.module:function`; called with a `Send`, then with the arguments by name."""
    arguments: dict[str, Any]
    """What JSON can carry."""


class ExitMessage(msgspec.Struct, frozen=True, tag=True):
    """The last message of a child; the parent makes it of one that died."""

    reason: Literal["ended", "failed", "session_over", "not_whole", "died"]
    text: str = ""
    """What went wrong, in one line."""
    result: Any = None
    """What the function returned."""


class _BlockMessage(msgspec.Struct, frozen=True, tag=True):
    captured_at_ns: int
    lost: GapCause | None
    channels: int
    samples: int
    pcm: bytes
    """Empty if they are lost."""


_DECODER: Final = msgspec.msgpack.Decoder(_BlockMessage | ExitMessage)


def pack(message: Block | ExitMessage) -> bytes:
    """A message as it goes through the pipe."""
    if isinstance(message, ExitMessage):
        return msgspec.msgpack.encode(message)
    audio, captured_at_ns, lost = message
    channels, samples = audio.shape
    pcm = b"" if lost else np.ascontiguousarray(audio, np.float32).tobytes()
    return msgspec.msgpack.encode(_BlockMessage(captured_at_ns, lost, channels, samples, pcm))


def unpack(data: bytes) -> Block | ExitMessage:
    """A message that came through the pipe."""
    message = _DECODER.decode(data)
    if isinstance(message, ExitMessage):
        return message
    shape = (message.channels, message.samples)
    audio = np.zeros(shape, np.float32) if message.lost else np.frombuffer(message.pcm, np.float32).reshape(shape)
    return Block(audio, message.captured_at_ns, message.lost)


class ChildProcess:
    """A fresh interpreter that does a task, from its start to `__exit__`.

    Its standard error is kept from ours, but for the last line, which says why it died.

    Raises:
        SourceError: the system cannot start a process.
    """

    def __init__(self, task: Task) -> None:
        self._errors = b""
        try:
            self._pipe, theirs = multiprocessing.Pipe(duplex=False)
            with theirs:
                self._process: Final = _start(theirs.fileno())
        except OSError as error:
            raise SourceError(
                f"cannot start a process for the source: {error.strerror}; raise the limits on processes and files"
            ) from error
        if self._process.stdin is None or self._process.stderr is None:
            raise AssertionError("it was started with both")
        self._stderr: Final = self._process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._poll: Final = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)
        # The next read finds out about a child that is dead already.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(task) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        # Closes standard input and error, and waits.
        with self._process:
            self._pipe.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End it and what it has started, whatever it is stuck in; from any thread, also when it has ended."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def receive(self, timeout_s: float) -> Block | ExitMessage | None:
        """The next message; None if none came in that time."""
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout_s * 1000)}
        if self._stderr.fileno() in ready and self._keep_errors() == b"":
            self._poll.unregister(self._stderr)
        if self._pipe.fileno() not in ready:
            return None
        try:
            return unpack(self._pipe.recv_bytes())
        except (EOFError, OSError):
            return ExitMessage("died", self._exit_description())

    def _exit_description(self) -> str:
        """How a child ended that has closed its pipe without an `ExitMessage`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        self._keep_errors()
        code = self._process.returncode
        if code is None:
            ending = "stopped sending"
        elif code < 0:
            ending = f"was ended by {signal.Signals(-code).name}"
        else:
            ending = f"ended with status {code}"
        line = last_line(self._errors)
        return f"{ending}: {line}" if line else ending

    def _keep_errors(self) -> bytes | None:
        """Keep the end of standard error; returns what is new, None if nothing is, b"" at the end."""
        data: bytes | None = self._stderr.read(PIPE_BYTES)
        self._errors = (self._errors + (data or b""))[-STDERR_BYTES:]
        return data


def last_line(errors: bytes) -> str:
    """The last line of standard error that is not blank, without the secrets of addresses."""
    lines = errors.decode(errors="replace").split("\n")
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return clean(line)


def _start(pipe: int) -> subprocess.Popen[bytes]:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    # Modules are where we find them, not in whatever folder the child is started in (-P).
    path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-c", f"from {__name__} import main; main({pipe})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=(pipe,),
        process_group=0,
        # Threads that numpy never uses here would take memory for each core.
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
    )


def call_in_child(function: str, arguments: dict[str, Any], *, name: str, timeout_s: float) -> Any:
    """Call a function in a child process, as `function(send, **arguments)`, and return what it returns, as JSON has it.

    Args:
        function: `package.module:function`.
        arguments: for it; what JSON can carry.
        name: what is asked, for messages.
        timeout_s: how long the child may take.

    Raises:
        SourceError: the function raised it, or the child died or took too long.
    """
    deadline_s = time.monotonic() + timeout_s
    with ChildProcess(Task(function=function, arguments=arguments)) as child:
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = child.receive(left_s)
            if not isinstance(message, ExitMessage):
                continue
            if message.reason == "ended":
                return message.result
            died = f"{name} did not answer: the process that asked {message.text}"
            raise SourceError(died if message.reason == "died" else message.text)
    raise SourceError(f"{name} did not answer within {timeout_s:.0f} s; restart it")


class ChildSource:
    """A source whose blocks come from a child process, one for each call of `blocks`.

    Args:
        function: `package.module:function`, called in the child as `function(send, **arguments)`; whatever
            `WhoplaysError` it raises is raised here.
        arguments: for it; what JSON can carry.
        name: what people call the source.
        uri: where it is, without any secret.
        clock: what the blocks' times are made of.
        disconnect_cause: what to call it when the whole input goes away.
        live: whether it goes on without us.
    """

    def __init__(
        self,
        function: str,
        arguments: dict[str, Any],
        *,
        name: str,
        uri: str,
        clock: ClockKind,
        disconnect_cause: GapCause,
        live: bool = True,
    ) -> None:
        self.name = name
        self.uri = uri
        self.clock: ClockKind = clock
        self.disconnect_cause: GapCause = disconnect_cause
        self.warning = ""
        self.live = live
        self._task: Final = Task(function=function, arguments=arguments)
        self._lock: Final = threading.Lock()
        self._stopped = False
        self._child: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """The id of the newest child, if there was any."""
        return self._child.pid if self._child else None

    def blocks(self) -> Iterator[Block]:
        """What the child sends; see `Source`.

        Raises:
            SourceError: the child raised it, or died.
            SessionOverError: the child raised it; a new child sends what follows.
        """
        with self._lock:
            if self._stopped:
                return
            child = self._child = ChildProcess(self._task)
        with child:
            while not self._stopped:
                message = child.receive(POLL_S)
                if isinstance(message, ExitMessage):
                    return self._end(message)
                if message is not None:
                    yield message

    def stop(self) -> None:
        """End the child, and `blocks` with it; see `Source`."""
        with self._lock:
            self._stopped = True
            if self._child:
                self._child.kill()

    def _end(self, message: ExitMessage) -> None:
        match message.reason:
            case "ended" if isinstance(message.result, str):
                self.warning = message.result
            case "session_over":
                raise SessionOverError(message.text)
            case "not_whole":
                raise RecordingError(message.text)
            case "failed":
                raise SourceError(message.text)
            case "died" if not self._stopped:
                raise SourceError(f"{self.name} was lost: its process {message.text}")


def main(pipe: int) -> None:
    """Be the child: read the task, do it, and exit when it is done or the parent is gone."""
    # Ctrl-C in a terminal is meant for the parent, which then ends us as it sees fit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(pipe, False)
    _bound_memory()
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_exit_with_parent, name="whoplays-parent", daemon=True).start()
    with Connection(pipe, readable=False) as connection:
        try:
            connection.send_bytes(pack(_run(task, lambda block: connection.send_bytes(pack(block)))))
        except BrokenPipeError:
            os._exit(PARENT_GONE)


def _bound_memory() -> None:
    """Let a library that a stranger's data lead astray run out of memory, rather than the machine."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _run(task: Task, send: Send) -> ExitMessage:
    module, _, name = task.function.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(send, **task.arguments)
    except SessionOverError as error:
        return ExitMessage("session_over", str(error))
    except RecordingError as error:
        return ExitMessage("not_whole", str(error))
    except WhoplaysError as error:
        return ExitMessage("failed", str(error))
    return ExitMessage("ended", result=result)


def _exit_with_parent() -> None:
    while os.read(0, 1):
        pass
    # Not by an exception: the main thread may be deep inside a library that never returns. Whatever it has started ends
    # with it.
    os.killpg(0, signal.SIGKILL)
