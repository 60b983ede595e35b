from pathlib import Path

import pytest

from whoplays.bench.latency import STAGES, judge, measure_latency
from whoplays.bench.receiver import Arrival
from whoplays.bench.results import LatencyResult
from whoplays.bench.schedule import Schedule
from whoplays.models.errors import EndpointError, OptionError, WhoplaysError

MS = 1_000_000
SCHEDULE = Schedule(start_ns=0, window_samples=882, hop_samples=441, windows=3)
SENT_NS = [10 * MS, 21 * MS, 32 * MS, 43 * MS]


def make_arrival(end: int, sent_ms: int) -> Arrival:
    """2 ms to be heard, 3 in the queue, 4 to be inferred, 5 to be published."""
    passed_ms = (sent_ms + 2, sent_ms + 5, sent_ms + 9, sent_ms + 14)
    return Arrival(end, *(moment * MS for moment in passed_ms))


def test_latency_counts_from_when_the_last_sample_was_due() -> None:
    latency, stages = judge(SCHEDULE, SENT_NS, [make_arrival(882, 21), make_arrival(1323, 32)])
    assert tuple(stages) == STAGES
    assert (latency.p50_ms, latency.max_ms) == (15.0, 16.0)
    assert (stages["send"].p50_ms, stages["send"].max_ms) == (1.0, 2.0)
    assert [stages[stage].max_ms for stage in STAGES[1:]] == [2.0, 3.0, 4.0, 5.0]


def test_without_any_window_there_is_no_latency() -> None:
    with pytest.raises(EndpointError, match="none of 3 windows was received"):
        judge(SCHEDULE, SENT_NS, [])


def test_three_processes_measure_the_whole_path(model: Path) -> None:
    result = measure_latency(str(model), 3, 0.1, "cpu")
    assert (result.windows, result.received, result.lost, result.hop_s) == (3, 3, 0, 0.1)
    assert (result.conditions.model.name, result.conditions.provider) == ("tiny", "cpu")
    assert result.command == f"whoplays bench latency --model {model} --windows 3 --hop 0.1 --provider cpu"
    check_order(result)


@pytest.mark.slow
def test_what_comes_too_late_is_lost(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cut-off is before the second of two windows is due, and long after the first was."""
    monkeypatch.setattr("whoplays.bench.latency.CUTOFF_S", -0.1)
    result = measure_latency(str(model), 2, 2.5, "cpu")
    assert (result.windows, result.received, result.lost) == (2, 1, 1)


@pytest.mark.parametrize(
    ("windows", "hop_s", "provider", "error", "message"),
    [
        (0, 0.1, "cpu", OptionError, "0 windows make no sense"),
        (3, 0.0, "cpu", WhoplaysError, "^hop must be between .* got 0"),
        (3, float("nan"), "cpu", WhoplaysError, "^hop must be between .* got nan"),
        (3, 0.1, "abacus", WhoplaysError, "^unknown provider 'abacus'"),
    ],
)
def test_what_the_listener_complains_about_is_said(
    model: Path, windows: int, hop_s: float, provider: str, error: type[WhoplaysError], message: str
) -> None:
    with pytest.raises(error, match=message):
        measure_latency(str(model), windows, hop_s, provider)


def check_order(result: LatencyResult) -> None:
    for times in (result.latency, *result.stages.values()):
        assert 0 <= times.p50_ms <= times.p90_ms <= times.p99_ms <= times.max_ms
    assert max(times.max_ms for times in result.stages.values()) <= result.latency.max_ms
