import os
import signal
import time
from pathlib import Path

import pytest

from whoplays.bench.processes import listening
from whoplays.models.errors import WhoplaysError

NOW_NS = 0


def test_the_endpoint_and_the_reason_of_a_failure_are_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.bench.processes.SUBSCRIBER_WAIT_S", 0)
    with listening(str(model), 3.0, "cpu") as listener:
        assert listener.endpoint.startswith("tcp://127.0.0.1:")
        os.write(listener.stdin.fileno(), bytes(4))
        with pytest.raises(WhoplaysError, match=r"standard input ended after 0\.00 s"):
            listener.finish(time.monotonic_ns() + 90 * 1_000_000_000)


def test_an_exit_without_a_message_is_reported_by_its_code(model: Path) -> None:
    with listening(str(model), 3.0, "cpu") as listener:
        os.kill(listener.pid, signal.SIGKILL)
        with pytest.raises(WhoplaysError, match="ended with exit code -9"):
            listener.finish(NOW_NS)


def test_a_command_that_cannot_start_is_reported_by_its_code(model: Path) -> None:
    with pytest.raises(WhoplaysError, match="ended with exit code 1"), listening(str(model), 3.0, "cpu", ["false"]):
        pass
