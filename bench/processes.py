"""The system under test: `whoplays serve` in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from whoplays.bench.notes import last_words
from whoplays.bench.senders import HOST
from whoplays.models.errors import WhoplaysError

BEGIN_S: Final = 120.0
LEAVE_S: Final = 60.0
LOOK_S: Final = 0.1


class _Line(msgspec.Struct):
    event: str
    endpoint: str = ""


class Served:
    """A daemon that runs. Make one with `serving`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process: Final = process
        self._log: Final = log
        self.pid: Final = process.pid
        self.endpoint: Final = self._read_endpoint()
        """The address on which it publishes."""

    def check_alive(self) -> None:
        """See whether it runs.

        Raises:
            WhoplaysError: what it complained about.
        """
        if self._process.poll() is not None:
            raise self._complaint()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def wait(self) -> int | None:
        """Its exit code; None if it does not leave."""
        try:
            return self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            return None

    def _read_endpoint(self) -> str:
        deadline_s = time.monotonic() + BEGIN_S
        while time.monotonic() < deadline_s:
            # What follows the last newline may be half a line.
            for text in self._log.read_text().rpartition("\n")[0].splitlines():
                if text.startswith("{") and (line := msgspec.json.decode(text, type=_Line)).endpoint:
                    return line.endpoint
            self.check_alive()
            time.sleep(LOOK_S)
        raise WhoplaysError(f"whoplays serve did not begin to publish within {BEGIN_S:.0f} s")

    def _complaint(self) -> WhoplaysError:
        lines = self._log.read_text().splitlines()
        code = self._process.returncode
        return WhoplaysError(last_words(lines) or f"whoplays serve ended with exit code {code}")


@contextmanager
def serving(model: str, provider: str | None, ports: Sequence[int]) -> Iterator[Served]:
    """Start `whoplays serve` on RTP streams, named by their place.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        provider: the onnxruntime provider, or None for the best that runs.
        ports: where RTP comes in on this machine.

    Raises:
        WhoplaysError: what it complained about.
    """
    with TemporaryDirectory(prefix="whoplays-soak-") as folder:
        config, log = Path(folder, "soak.toml"), Path(folder, "log")
        config.write_text(configuration(model, provider, ports), encoding="utf-8")
        command = [sys.executable, "-m", "whoplays", "serve", str(config), "--json"]
        with (
            log.open("wb") as stderr,
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process,  # noqa: S603  our own
        ):
            try:
                yield Served(process, log)
            finally:
                process.kill()


def configuration(model: str, provider: str | None, ports: Sequence[int]) -> str:
    """The TOML of a daemon that listens to RTP on these ports."""
    lines = ['publish = "tcp://127.0.0.1:*"']
    for stream, port in enumerate(ports):
        lines += ["[[stream]]", f'name = "{stream_name(stream)}"', f'source = "rtp://{HOST}:{port}"']
        lines += [f"model = {_quoted(model)}"] + ([f"provider = {_quoted(provider)}"] if provider else [])
    return "\n".join(lines) + "\n"


def stream_name(stream: int) -> str:
    """The id of a stream by its place."""
    return f"soak-{stream:03}"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string too.
    return msgspec.json.encode(text).decode()
