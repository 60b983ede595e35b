"""The commands under test, each in a process of its own: `whoplays listen` on raw PCM, and `whoplays serve` on RTP."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

import msgspec

from whoplays.bench.senders import HOST
from whoplays.models.errors import WhoplaysError

WHOPLAYS: Final = (sys.executable, "-m", "whoplays")
SUBSCRIBER_WAIT_S: Final = 60
START_TIMEOUT_S: Final = 120.0
EXIT_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05
_PREFIX: Final = "whoplays: "
_ANNOUNCEMENT: Final = f"{_PREFIX}publishing on "


class PublisherProcess:
    """A command that publishes. Start one with `listening`, `serving` or `publishing`.

    Args:
        process: it runs; its standard error goes to the log.
        log: where it writes about itself.
        find_endpoint: the address in a line of the log; empty if the line does not name it.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, find_endpoint: Callable[[str], str]) -> None:
        self._process: Final = process
        self._log: Final = log
        self._startup_lines = 0
        self.pid: Final = process.pid
        self.endpoint: Final = self._read_endpoint(find_endpoint)
        """The address on which it publishes."""

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input: of `listen`, PCM as s16le, stereo, 44 100 Hz."""
        assert self._process.stdin  # noqa: S101  only `listening` asks for it
        return self._process.stdin

    def check_running(self) -> None:
        """Check that it runs.

        Raises:
            WhoplaysError: it has exited; the message is the last line of its log.
        """
        if self._process.poll() is not None:
            raise self._failure()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def wait(self, timeout_s: float = EXIT_TIMEOUT_S) -> int | None:
        """Its exit code; None if it does not exit in time."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def finish(self, cutoff_ns: int) -> None:
        """Close its input and wait until it has published everything, but not beyond a monotonic time.

        Raises:
            WhoplaysError: it failed; the message is the last line of its log.
        """
        self.stdin.close()
        if self.wait(max(0, cutoff_ns - time.monotonic_ns()) / 1e9) is None:
            self.terminate()
            if self.wait() is None:
                raise WhoplaysError(f"whoplays did not exit within {EXIT_TIMEOUT_S:.0f} s after SIGTERM")
        if self._process.returncode:
            raise self._failure()

    def _read_endpoint(self, find_endpoint: Callable[[str], str]) -> str:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            # What follows the last newline may be half a line.
            lines = self._log.read_text().rpartition("\n")[0].splitlines()
            for number, line in enumerate(lines, 1):
                if endpoint := find_endpoint(line):
                    self._startup_lines = number
                    return endpoint
            self.check_running()
            time.sleep(_POLL_S)
        raise WhoplaysError(f"whoplays did not start to publish within {START_TIMEOUT_S:.0f} s")

    def _failure(self) -> WhoplaysError:
        lines = self._log.read_text().splitlines()[self._startup_lines :]
        code = self._process.returncode
        return WhoplaysError(lines[-1].removeprefix(_PREFIX) if lines else f"whoplays ended with exit code {code}")


@contextmanager
def publishing(command: list[str], folder: Path, find_endpoint: Callable[[str], str]) -> Iterator[PublisherProcess]:
    """Run a command that publishes; it is killed at the end if it still runs.

    Args:
        command: to run.
        folder: where its log is kept.
        find_endpoint: the address in a line of the log; empty if the line does not name it.

    Raises:
        WhoplaysError: it failed; the message is the last line of its log.
    """
    log = folder / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(  # noqa: S603  our own interpreter
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr
        ) as process,
    ):
        try:
            yield PublisherProcess(process, log, find_endpoint)
        finally:
            process.kill()


@contextmanager
def listening(
    model: str, hop_s: float, provider: str | None, whoplays: Sequence[str] = WHOPLAYS
) -> Iterator[PublisherProcess]:
    """Run `whoplays listen` on raw PCM from its standard input; it begins once it has a subscriber.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        hop_s: seconds from the start of one window to the next.
        provider: the onnxruntime provider, or None for the best that runs.
        whoplays: the command itself.

    Raises:
        WhoplaysError: it failed; the message is the last line of its log.
    """
    options = [f"--model={model}", f"--hop={hop_s}", "--publish=tcp://127.0.0.1:*", f"--wait={SUBSCRIBER_WAIT_S}"]
    options += [f"--provider={provider}"] if provider else []
    with TemporaryDirectory(prefix="whoplays-bench-") as folder:
        command = [*whoplays, "listen", "-", *options]
        with publishing(command, Path(folder), _announced_endpoint) as process:
            yield process


@contextmanager
def serving(
    model: str, provider: str | None, ports: Sequence[int], source: str = "rtp", hop_s: float | None = None
) -> Iterator[PublisherProcess]:
    """Run `whoplays serve` on streams, which `stream_name` names.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        provider: the onnxruntime provider, or None for the best that runs.
        ports: at which the audio arrives on this machine.
        source: `rtp` or `zmq`.
        hop_s: seconds from the start of one window to the next; the daemon's own unless given.

    Raises:
        WhoplaysError: it failed; the message is the last line of its log.
    """
    with TemporaryDirectory(prefix="whoplays-bench-") as folder:
        config = Path(folder, "bench.toml")
        config.write_text(configuration(model, provider, ports, source, hop_s), encoding="utf-8")
        command = [*WHOPLAYS, "serve", str(config), "--json"]
        with publishing(command, Path(folder), logged_endpoint) as process:
            yield process


def configuration(
    model: str, provider: str | None, ports: Sequence[int], source: str = "rtp", hop_s: float | None = None
) -> str:
    """The TOML of a daemon with one stream for each port."""
    options = [f"model = {_quoted(model)}"]
    options += [f"provider = {_quoted(provider)}"] if provider else []
    options += [f"hop_s = {hop_s:g}"] if hop_s is not None else []
    lines = ['publish = "tcp://127.0.0.1:*"']
    for stream, port in enumerate(ports):
        lines += ["[[stream]]", f'name = "{stream_name(stream)}"', f'source = "{source}://{HOST}:{port}"', *options]
    return "\n".join(lines) + "\n"


def stream_name(stream: int) -> str:
    """The id of a stream, by its number from 0."""
    return f"bench-{stream:03}"


def stream_number(name: str) -> int:
    """The number of a stream, by its id."""
    return int(name.rpartition("-")[2])


def _announced_endpoint(line: str) -> str:
    return line.removeprefix(_ANNOUNCEMENT) if line.startswith(_ANNOUNCEMENT) else ""


class _LogLine(msgspec.Struct):
    endpoint: str = ""


def logged_endpoint(line: str) -> str:
    """The address on which the daemon publishes, if this line of its JSON log names it."""
    return msgspec.json.decode(line, type=_LogLine).endpoint if line.startswith("{") else ""


def _quoted(text: str) -> str:
    # A JSON string is a TOML string too.
    return msgspec.json.encode(text).decode()
