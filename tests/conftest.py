"""Marks tests by the kind of thing they need; and where CI=true, what is not installed fails a test."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import PurePosixPath
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and nothing that depends on how busy the machine is.
settings.register_profile(
    "deterministic", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deterministic")

ROOT: Final = PurePosixPath(__file__).parents[1]
DEVICE_FIXTURES: Final = {"server", "pulse", "card"}
"""Those that start a sound server."""
NETWORK: Final = (
    "bench/test_capacity.py",
    "bench/test_compare.py",
    "bench/test_latency.py",
    "bench/test_load.py",
    "bench/test_processes.py",
    "bench/test_profile.py",
    "bench/test_receiver.py",
    "bench/test_soak.py",
    "compatibility",
    "stream/archive/test_remote.py",
    "stream/cli",
    "stream/daemon",
    "stream/faults",
    "stream/metrics/test_server.py",
    "stream/page",
    "stream/pubsub",
    "stream/security/test_curve.py",
    "stream/sources/ffmpeg",
    "stream/sources/remote",
    "stream/sources/rtp",
    "test_examples.py",
)
"""Files and folders whose tests open sockets, or run FFmpeg or Icecast."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as `device` by their fixtures, and as `network` by where they stand."""
    for item in items:
        path = PurePosixPath(item.path).relative_to(ROOT / "tests")
        if DEVICE_FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker("device")
        elif any(path.is_relative_to(place) for place in NETWORK):
            item.add_marker("network")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that is skipped because something is not installed fail where everything should be."""
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if report.skipped and "not installed" in reason and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{reason}; with CI=true nothing may be missing"
    return report


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores SIGINT, and so would all that the tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
