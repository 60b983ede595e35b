"""A tiny model to measure, and results of no measurement."""

from pathlib import Path

import pytest

from tests.stream.tiny_model import write_tiny_model
from whoplays.bench.conditions import Conditions, Hardware
from whoplays.bench.results import (
    LatencyResult,
    Rates,
    SoakCheck,
    SoakResult,
    Summary,
    ThroughputResult,
    ThroughputRow,
)
from whoplays.stream.pubsub.messages import ModelInfo

CONDITIONS = Conditions(
    measured_at="2026-01-02T03:04:05+00:00",
    os="Linux",
    hardware=Hardware(cpu="abacus", cores=2, memory_gib=4.0, gpu=None),
    load=0.1,
    versions={"python": "3.11"},
    model=ModelInfo(name="tiny", version="0.1", sha256="0123456789ab"),
    provider="cpu",
)
TIMES = Summary(p50_ms=1.0, p90_ms=2.0, p99_ms=3.0, max_ms=4.0)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def latency() -> LatencyResult:
    return LatencyResult(
        command="whoplays bench latency --model tiny",
        conditions=CONDITIONS,
        hop_s=0.25,
        cutoff_s=10.0,
        windows=5,
        received=4,
        lost=1,
        latency=TIMES,
        stages={"infer": TIMES},
    )


@pytest.fixture
def throughput() -> ThroughputResult:
    rates = Rates(windows_per_s=10.0, slowest_per_s=9.0, fastest_per_s=11.0, ratio=1.0)
    return ThroughputResult(
        command="whoplays bench throughput --model tiny",
        conditions=CONDITIONS,
        rounds=5,
        seconds_per_cell=5.0,
        tolerance=1e-4,
        rows=(ThroughputRow(batch=1, threads=1, rates=rates, max_abs_diff=0.0, agrees=True),),
    )


@pytest.fixture
def failed_soak() -> SoakResult:
    return SoakResult(
        command="whoplays bench soak",
        conditions=CONDITIONS,
        streams=2,
        minutes=1.0,
        loss=0.01,
        lag=TIMES,
        checks=(
            SoakCheck(name="uncovered", found="1, first: hall", allowed="0", passed=False),
            SoakCheck(name="sessions", found="2", allowed="2", passed=True),
            SoakCheck(name="open files", found="run too short", allowed="", passed=None),
        ),
    )
