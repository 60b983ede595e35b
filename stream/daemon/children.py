"""Subscribers that `serve` runs beside itself, each in a process of its own, started again when it ends."""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Self

import zmq
from structlog.typing import FilteringBoundLogger

from whoplays.stream.common.backoff import STEADY_S, Backoff
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.daemon.config import Config
from whoplays.stream.security.allow_list import ServerKeys
from whoplays.stream.security.keys import make_keys, read_public, write_public

LEAVE_S: Final = 1.0
"""How long a process may take to end."""
LONGEST_LINE: Final = 4096
MOST_SAID: Final = 100


class Child(NamedTuple):
    """A command to run."""

    name: str
    words: tuple[str, ...]
    """What follows `whoplays`, but for the publisher and keys."""
    target: str | None = None
    """What is told by a file, as it may hold secrets, and arguments are seen by others."""


def children_of(config: Config) -> list[Child]:
    """The page and the relays of a configuration."""
    found = [
        Child(f"relay {number}", ("relay", relay.kind, *relay.arguments), relay.target)
        for number, relay in enumerate(config.relay, 1)
    ]
    if config.page:
        history = config.history.file if config.history else None
        found.append(Child("page", ("page", *config.page.arguments(history))))
    return found


class Children:
    """Runs commands from `start` until the context is left.

    Args:
        children: the commands.
        log: where goes what they say, and that they ended; what one says again that was started again is logged once.
        watch: what their threads are watched by.
    """

    def __init__(self, children: Sequence[Child], log: FilteringBoundLogger, watch: ThreadWatch) -> None:
        self._children: Final = children
        self._log: Final = log
        self._watch: Final = watch
        self._stopped: Final = threading.Event()
        self._processes: Final[dict[str, subprocess.Popen[bytes]]] = {}
        self._threads: Final[list[threading.Thread]] = []
        self._stack: Final = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with self._stack:
            for process in tuple(self._processes.values()):
                process.terminate()
            until_s = time.monotonic() + LEAVE_S
            for thread in self._threads:
                thread.join(max(0.0, until_s - time.monotonic()))
            for process in tuple(self._processes.values()):
                process.kill()
            for thread in self._threads:
                thread.join()

    def start(self, endpoint: str, keys: ServerKeys | None) -> None:
        """Run them.

        Args:
            endpoint: where the publisher is bound.
            keys: its own; the children get keys that are admitted for this run.
        """
        if not self._children:
            return
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="whoplays-")))
        for number, child in enumerate(self._children):
            words = [*child.words, *self._stack.enter_context(_admitted(keys, folder, f"child-{number}"))]
            if child.target is not None:
                target = folder / f"target-{number}"
                target.write_text(child.target, encoding="utf-8")
                words.append(f"@{target}")
            words.append(local_endpoint(endpoint))
            thread = threading.Thread(target=self._keep, args=(child.name, words), name=f"whoplays-{child.name}")
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Start none of them again."""
        self._stopped.set()

    def _keep(self, name: str, words: Sequence[str]) -> None:
        self._watch.run(name, lambda: self._restart(name, words), self._stopped)

    def _restart(self, name: str, words: Sequence[str]) -> None:
        said: set[str] = set()
        for _ in Backoff(self._stopped).attempts():
            began_s = time.monotonic()
            said |= self._run(name, words, frozenset(said))
            if time.monotonic() - began_s > STEADY_S:
                said.clear()

    def _run(self, name: str, words: Sequence[str], said: frozenset[str]) -> set[str]:
        """Run it to its end; returns what it said. What it said in a run before is no news."""
        now = set[str]()
        command = [sys.executable, "-m", "whoplays.stream.daemon.child", *words]
        # In a session of its own: Ctrl-C in a terminal is meant for us.
        with subprocess.Popen(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            self._processes[name] = process
            if self._stopped.is_set():
                process.terminate()
            assert process.stderr is not None  # noqa: S101  it is a pipe
            while line := process.stderr.readline(LONGEST_LINE):
                text = line.decode("utf-8", "replace").strip().removeprefix("whoplays: ")
                self._say(name, text, said)
                if len(now) < MOST_SAID:
                    now.add(text)
            status = process.wait()
        if not self._stopped.is_set():
            text = f"ended with status {status}; it is started again"
            self._say(name, text, said)
            now.add(text)
        return now

    def _say(self, name: str, text: str, said: frozenset[str]) -> None:
        if text in said:
            return
        # Where the page is, is no trouble.
        (self._log.info if text.startswith("http") else self._log.warning)(name, text=text)


@contextmanager
def _admitted(keys: ServerKeys | None, folder: Path, name: str) -> Iterator[list[str]]:
    """Options with keys of a client that is admitted during the block; none if nothing is encrypted."""
    if keys is None:
        yield []
        return
    server, own = folder / "server.key", make_keys(name, folder)
    write_public(server, zmq.curve_public(keys.secret))
    with keys.allowed.admitting(read_public(own.public)):
        yield [f"--keys={own.secret}", f"--server-key={server}"]


def local_endpoint(endpoint: str) -> str:
    """Where this machine reaches what is bound on all its addresses.

    >>> local_endpoint("tcp://0.0.0.0:9460"), local_endpoint("tcp://[::]:9460"), local_endpoint("ipc:///run/hall")
    ('tcp://127.0.0.1:9460', 'tcp://[::1]:9460', 'ipc:///run/hall')
    """
    return endpoint.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
