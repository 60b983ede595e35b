"""The search for the most streams, and what is said of its end; a real one of a few streams."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import whoplays
from tests.bench.conftest import CONDITIONS, TIMES
from whoplays.bench.capacity import measure_capacity, recovery_s, search_most, what_ran_out, windows_in
from whoplays.bench.load import Load
from whoplays.bench.report import make_page
from whoplays.bench.results import CapacityResult, CapacityStep, LoadUsage, read_result, write_result

USAGE = LoadUsage(daemon=1.0, busiest_thread=0.4, sender=0.3, machine=1.5, rss_mib=100.0, available_mib=3000.0)
STEP = CapacityStep(
    streams=4,
    latency=TIMES,
    samples_us=[1000],
    lost_windows=0,
    overload=0,
    lost_samples=0,
    sender_late_ms=0.1,
    usage=USAGE,
    passed=True,
)


@given(true=st.integers(0, 300), start=st.integers(1, 300), resolution=st.floats(0, 0.5))
def test_the_search_ends_beside_the_limit(true: int, start: int, resolution: float) -> None:
    tried: list[int] = []

    def passes(number: int) -> bool:
        tried.append(number)
        return number <= true

    most, too_many = search_most(passes, start, 300, resolution)
    assert len(tried) == len(set(tried)) <= 20
    assert most <= true
    if too_many is None:
        assert most == 300
    else:
        assert true < too_many <= max(most + 1, (1 + resolution) * most)


@pytest.mark.parametrize(
    ("changes", "sender_late_ms", "found"),
    [
        ({"sender": 0.97}, 0.1, "the sender (0.97 cores"),
        ({}, 130.0, "the sender (0.30 cores, p99 130.0 ms late)"),
        ({"available_mib": 100.0}, 0.1, "memory (100 MiB of the daemon, 100 MiB left)"),
        ({"busiest_thread": 0.99}, 0.1, "one thread of the daemon, or the GIL"),
        ({"machine": 1.96, "daemon": 1.5}, 0.1, "CPU (1.96 of 2 cores: daemon 1.50, sender 0.30)"),
        ({"machine": 1.96}, 0.1, "nothing of the daemon: other processes took 0.66 of 2 cores"),
        ({}, 0.1, "no resource as a whole (1.50 of 2 cores"),
    ],
)
def test_what_was_used_up_is_said(changes: dict[str, float], sender_late_ms: float, found: str) -> None:
    usage = msgspec.structs.replace(USAGE, **changes)
    step = msgspec.structs.replace(STEP, usage=usage, sender_late_ms=sender_late_ms)
    assert what_ran_out(step, CONDITIONS.hardware, 250.0).startswith(found)


def test_a_step_has_two_windows_at_least() -> None:
    assert windows_in(3.0, 3.0) == 2
    assert windows_in(4.0, 0.25) == 5


def test_a_capacity_is_kept_and_reported(tmp_path: Path) -> None:
    failed = msgspec.structs.replace(STEP, streams=8, lost_windows=3, passed=False)
    result = CapacityResult(
        command="whoplays bench capacity",
        conditions=CONDITIONS,
        source="rtp",
        hop_s=3.0,
        budget_ms=250.0,
        packet_ms=10.0,
        most_streams=4,
        ran_out="CPU",
        recovery_s=1.5,
        steps=(STEP, failed),
    )
    write_result(result, str(tmp_path / "capacity.json"))
    page = make_page([read_result(tmp_path / "capacity.json")])
    assert "## Capacity of tiny 0.1 on cpu" in page
    assert "4 rtp streams at a hop of 3 s, packets of 10 ms: p99 within 250 ms, no sample and no window lost." in page
    assert "What ran out: CPU. Recovery from an overload of twice as many took 1.5 s" in page
    assert "| 8 | 0 | 1.00 | 3.00 | 3 | 0 | 1.00 | 0.40 | 0.30 | 1.50 | 100 | FAILED |" in page


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_is_no_stream(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a packet of 41 ms is due long after the window that ends within it."""
    monkeypatch.setattr("whoplays.bench.capacity.ATTEMPTS", 1)
    result = measure_capacity(str(model), "zmq", 3.0, 1.0, start=1, seconds=3.0, provider="cpu", packet_s=0.041)
    assert (result.most_streams, result.recovery_s) == (0, None)
    (step,) = result.steps
    assert step.latency.count + step.lost_windows == 2
    assert result.command.endswith("--budget 1 --start 1 --seconds 3 --packet-ms 41 --provider cpu")


@pytest.mark.slow
def test_streams_that_stay_after_others_have_left_are_followed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.bench.capacity.RECOVERY_S", 1.0)
    found = recovery_s(Load(str(model), "cpu", "zmq", 0.5), 2, 2, 60_000.0)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--source pipe", "source must be one of rtp, zmq, got pipe"),
        ("--hop 0", "hop must be between 0.01 and 3 s, got 0"),
        ("--budget 0", "budget must be between 1 and 60000, got 0"),
        ("--start 0", "start must be between 1 and 1000, got 0"),
        ("--seconds 1", "seconds must be between 3 and 3600, got 1"),
        ("--model nobody", "model 'nobody' not found"),
    ],
)
def test_mistakes_are_told_in_a_line(options: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "capacity", *options.split()])
    assert message in capfd.readouterr().err.splitlines()[-1]
