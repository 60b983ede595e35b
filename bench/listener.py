"""The system under test: `whoplays listen -` in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from whoplays.bench.notes import NOTE, last_words
from whoplays.models.errors import WhoplaysError

JOIN_S: Final = 60
LEAVE_S: Final = 20.0
ANNOUNCEMENT: Final = f"{NOTE}publishing on "


class Listener:
    """A process that hears raw PCM and publishes what it recognises. Make one with `listening`."""

    def __init__(self, process: subprocess.Popen[bytes], pcm: IO[bytes], notes: IO[bytes]) -> None:
        self._process: Final = process
        self._pcm: Final = pcm
        self._notes: Final = notes
        self.endpoint: Final = self._read_endpoint()
        """The address on which it publishes."""

    @property
    def descriptor(self) -> int:
        """Where PCM is written: s16le, stereo, 44 100 Hz."""
        return self._pcm.fileno()

    def finish(self, cutoff_ns: int) -> None:
        """End its input and wait until it has said everything, but not beyond a monotonic time.

        Raises:
            WhoplaysError: what it complained about.
        """
        self._pcm.close()
        try:
            self._process.wait(max(0, cutoff_ns - time.monotonic_ns()) / 1e9)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(LEAVE_S)
        if self._process.returncode:
            raise self._complaint(list(self._lines()))

    def _read_endpoint(self) -> str:
        notes = []
        for line in self._lines():
            if line.startswith(ANNOUNCEMENT):
                return line.removeprefix(ANNOUNCEMENT)
            notes.append(line)
        raise self._complaint(notes)

    def _complaint(self, notes: list[str]) -> WhoplaysError:
        """Its last words, if it had any."""
        code = self._process.wait()
        return WhoplaysError(last_words(notes) or f"whoplays listen ended with exit code {code}")

    def _lines(self) -> Iterator[str]:
        return (line.decode().strip() for line in self._notes)


@contextmanager
def listening(model: str, hop_s: float, provider: str | None) -> Iterator[Listener]:
    """Start `whoplays listen` on raw PCM; it begins once it has a subscriber.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        hop_s: seconds from the start of one window to the next.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: what it complained about.
    """
    options = [f"--model={model}", f"--hop={hop_s}", "--publish=tcp://127.0.0.1:*", f"--wait={JOIN_S}"]
    options += [f"--provider={provider}"] if provider else []
    with subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", "whoplays", "listen", "-", *options],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Listener(process, _piped(process.stdin), _piped(process.stderr))
        finally:
            process.kill()


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  asked for above
    return pipe
