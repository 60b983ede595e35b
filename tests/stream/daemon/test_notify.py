import os
import socket
from pathlib import Path

import pytest

from whoplays.stream.daemon.daemon import Notifier


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with Notifier() as notifier:
            assert notifier.tell("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_an_abstract_address_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0whoplays-test-{os.getpid()}")
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@whoplays-test-{os.getpid()}")
        with Notifier() as notifier:
            assert notifier.tell("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nobody_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with Notifier() as notifier:
        assert not notifier.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with Notifier() as notifier:
        assert not notifier.tell("READY=1")


@pytest.mark.parametrize(
    ("limit", "owner", "watchdog_s"),
    [
        ("", "", 0.0),
        ("30000000", "", 30.0),
        ("30000000", "own", 30.0),
        ("30000000", "1", 0.0),
        ("x", "", 0.0),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(
    limit: str, owner: str, watchdog_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if owner == "own" else owner)
    with Notifier() as notifier:
        assert notifier.watchdog_s == watchdog_s
