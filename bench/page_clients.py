"""Those who look at the page of a publisher while that is measured: a page, and clients of its live events."""

import multiprocessing
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing.synchronize import Barrier
from typing import Final

from whoplays.models.errors import WhoplaysError
from whoplays.stream.common.deadline import end_with_parent

MOST_CLIENTS: Final = 32
"""The page admits no more."""
START_S: Final = 30.0
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)/")


@contextmanager
def page_clients(endpoint: str, clients: int) -> Iterator[None]:
    """Run a page and so many clients, each of which follows its live events; none if there are none.

    Raises:
        WhoplaysError: the page does not start, or its clients get nothing.
    """
    if not clients:
        yield
        return
    command = [sys.executable, "-m", "whoplays", "page", endpoint, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as page:  # noqa: S603  our own module
        try:
            line = page.stderr.readline() if page.stderr else ""
            found = _ADDRESS.search(line)
            if found is None:
                raise WhoplaysError(f"the page did not start: {line.strip()}")
            with _following(int(found[1]), clients):
                yield
        finally:
            page.terminate()


@contextmanager
def _following(port: int, clients: int) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Barrier(clients + 1)
    process = spawn.Process(target=_follow, args=(port, clients, started), daemon=True)
    process.start()
    try:
        started.wait(START_S)
        yield
    except threading.BrokenBarrierError as error:
        raise WhoplaysError(f"not all of {clients} clients of the page got its events") from error
    finally:
        process.kill()
        process.join()


def _follow(port: int, clients: int, started: Barrier) -> None:
    end_with_parent()
    threads = [threading.Thread(target=_read, args=(port, started)) for _ in range(clients)]
    for thread in threads:
        thread.start()


def _read(port: int, started: Barrier) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/api/live")
    answer = connection.getresponse()
    answer.readline()
    started.wait(START_S)
    while answer.readline():
        pass
