"""Processes that label recordings, one a core; one that dies costs the recording that it was at."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Protocol

from whoplays.stream.archive.labelling import Labelled, Labeller, WorkerOptions
from whoplays.stream.archive.recordings import Recording, shown
from whoplays.stream.archive.results import FileResult
from whoplays.stream.common.deadline import end_with_parent

WAIT_S: Final = 0.2
DIED: Final = "the process that labelled it was ended; is there too little memory?"


class Pool(Protocol):
    """What labels recordings, several at a time."""

    def results(
        self, recordings: Sequence[Recording], stopped: Callable[[], bool]
    ) -> Iterator[tuple[Recording, Labelled]]:
        """Each recording with what came of it, as they are done; none any more once stopped."""


class LabelPool:
    """Labels recordings in several processes.

    Args:
        options: how.
        workers: how many processes.
    """

    def __init__(self, options: WorkerOptions, workers: int) -> None:
        self._options: Final = options
        self._workers: Final = workers

    def results(
        self, recordings: Sequence[Recording], stopped: Callable[[], bool]
    ) -> Iterator[tuple[Recording, Labelled]]:
        """Each recording with what came of it, as they are done; none any more once stopped."""
        waiting, suspects = deque(recordings), deque[Recording]()
        while (waiting or suspects) and not stopped():
            # When a process dies, all that were under way are lost, and each is tried again by itself.
            alone = [suspects.popleft()] if suspects else []
            for recording, labelled in self._attempt(deque(alone) if alone else waiting, stopped):
                if labelled is not None:
                    yield recording, labelled
                elif alone:
                    yield recording, died(recording)
                else:
                    suspects.append(recording)

    def _attempt(
        self, waiting: deque[Recording], stopped: Callable[[], bool]
    ) -> Iterator[tuple[Recording, Labelled | None]]:
        """Until there are none, or a process died: then None for each recording that was under way."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self._workers, len(waiting)), context, _load, (self._options,))
        running: dict[Future[Labelled], Recording] = {}
        try:
            while (waiting or running) and not stopped():
                while waiting and len(running) < 2 * self._workers:
                    running[pool.submit(_label, waiting[0].place)] = waiting[0]
                    waiting.popleft()
                done, _ = wait(running, WAIT_S, FIRST_COMPLETED)
                for future in done:
                    labelled = future.result()
                    yield running.pop(future), labelled
        except BrokenProcessPool:
            yield from ((recording, None) for recording in running.values())
        finally:
            for process in tuple((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


def died(recording: Recording) -> Labelled:
    """What comes of a recording that ends each process that labels it."""
    return Labelled(FileResult(path=shown(recording.place), error=DIED), b"")


_labeller: Labeller | None = None
"""Of a worker process."""


def _load(options: WorkerOptions) -> None:
    """Begin a worker process."""
    global _labeller  # noqa: PLW0603  a pool gives its workers nothing else to keep things in
    # Ctrl-C in a terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _labeller = Labeller(options)


def _label(place: str) -> Labelled:
    if _labeller is None:
        raise AssertionError("a worker is loaded first")
    return _labeller.label(place)
