"""What a process and its children hold: memory and open files, once a second (Linux's /proc)."""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Final, NamedTuple, Self

EVERY_S: Final = 1.0
FEWEST: Final = 60
"""Growth of a run with fewer looks is not judged: rings and caches still fill."""


class Look(NamedTuple):
    """What was held at one moment."""

    rss_bytes: int
    files: int


class Growth(NamedTuple):
    """The medians of a run's second and last third."""

    before: float
    after: float


class Footprint:
    """Looks at a process once a second, from `__enter__` to `__exit__` or to its end.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        self.looks: Final[list[Look]] = []
        self._pid: Final = pid
        self._leaving: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="whoplays-footprint")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._leaving.wait(EVERY_S):
            held = look(self._pid)
            # A process that is leaving holds no memory any more, and a moment later no files.
            if not all(held):
                return
            self.looks.append(held)


def look(pid: int) -> Look:
    """What a process and its children hold; nothing if it is gone."""
    held = list(map(_one, _family(pid)))
    return Look(sum(each.rss_bytes for each in held), sum(each.files for each in held))


def growth(values: Sequence[int]) -> Growth | None:
    """How a value went up from a run's second third to its last; None if the run was too short to tell."""
    third = len(values) // 3
    if len(values) < FEWEST:
        return None
    return Growth(median(values[third : 2 * third]), median(values[2 * third :]))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    except OSError:
        return
    for child in children:
        yield from _family(child)


def _children(task: Path) -> list[int]:
    return list(map(int, (task / "children").read_text().split()))


def _one(pid: int) -> Look:
    process = Path(f"/proc/{pid}")
    try:
        pages = int((process / "statm").read_text().split()[1])
        return Look(pages * os.sysconf("SC_PAGE_SIZE"), len(list((process / "fd").iterdir())))
    except OSError:
        # It is gone, or was never there.
        return Look(0, 0)
