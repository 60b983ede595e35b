import os
import subprocess
import sys
import time

import pytest

from whoplays.bench.soak_checks import (
    MEMORY_GROWTH_BYTES,
    MIN_SAMPLES,
    Growth,
    ResourceMonitor,
    ResourceSample,
    check_growth,
    growth,
    sample_resources,
)

TIMEOUT_S = 30.0


def test_a_process_is_sampled_with_its_children() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        both = sample_resources(process.pid)
        process.communicate("\n")
    own = sample_resources(os.getpid())
    assert both.files >= 6
    assert both.rss_bytes > 1 << 20
    assert own.rss_bytes > 1 << 20
    assert sample_resources(process.pid) == ResourceSample(0, 0)


def test_a_monitor_ends_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.bench.soak_checks.SAMPLING_S", 0.01)
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
        ResourceMonitor(process.pid) as monitor,
    ):
        deadline_s = time.monotonic() + TIMEOUT_S
        while len(monitor.samples) < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        process.communicate(b"\n")
    assert len(monitor.samples) >= 3
    assert all(sample.rss_bytes and sample.files for sample in monitor.samples)


def test_growth_is_from_the_second_third_to_the_last() -> None:
    assert growth([5] * (MIN_SAMPLES - 1)) is None
    assert growth([0] * 20 + [10] * 20 + [12] * 20) == Growth(10, 12)


@pytest.mark.parametrize(
    ("more_bytes", "more_files", "passed"),
    [
        (0, 0, [True, True]),
        (MEMORY_GROWTH_BYTES + 1, 0, [False, True]),
        (0, 3, [True, False]),
        (-(10**9), -9, [True, True]),
    ],
)
def test_a_daemon_that_grows_fails(more_bytes: int, more_files: int, passed: list[bool]) -> None:
    before, after = ResourceSample(1 << 20, 30), ResourceSample((1 << 20) + more_bytes, 30 + more_files)
    assert [check.passed for check in check_growth([before] * 40 + [after] * 20)] == passed


def test_growth_in_a_short_run_is_not_checked() -> None:
    assert [check.passed for check in check_growth([ResourceSample(1, 1)])] == [None, None]
