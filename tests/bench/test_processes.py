import os
import signal
import sys
import time
from pathlib import Path

import pytest

from whoplays.bench.listener import listening
from whoplays.models.errors import WhoplaysError

NOW_NS = 0


def test_it_tells_where_it_publishes_and_what_was_wrong(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.bench.listener.JOIN_S", 0)
    with listening(str(model), 3.0, "cpu") as listener:
        assert listener.endpoint.startswith("tcp://127.0.0.1:")
        os.write(listener.descriptor, bytes(4))
        with pytest.raises(WhoplaysError, match=r"standard input ended after 0\.00 s"):
            listener.finish(time.monotonic_ns() + 90 * 1_000_000_000)


def test_a_death_without_a_word_is_told_by_its_code(model: Path) -> None:
    with listening(str(model), 3.0, "cpu") as listener:
        listener._process.send_signal(signal.SIGKILL)
        with pytest.raises(WhoplaysError, match="ended with exit code -9"):
            listener.finish(NOW_NS)


def test_a_command_that_cannot_start_is_told_by_its_code(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(WhoplaysError, match="ended with exit code 1"), listening(str(model), 3.0, "cpu"):
        pass
