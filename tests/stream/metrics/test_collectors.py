"""What Prometheus gets, parsed as Prometheus parses it."""

import math
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.stream.history.make_history import make_concert, make_end, make_event, make_status, make_window
from tests.stream.metrics.make_metrics import make_metrics
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.common.clock import GapCause
from whoplays.stream.metrics.collectors import Metrics, Probes
from whoplays.stream.pubsub.messages import Gap, LevelInfo, State

Labels = dict[str, str]


def scrape(metrics: Metrics) -> dict[str, list[tuple[Labels, float]]]:
    """Every sample, by its name."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float:
    (found,) = (number for have, number in scrape(metrics)[f"whoplays_{name}"] if have == labels)
    return found


def make_gap(seconds: int, cause: GapCause = "network", *, session: str = "one") -> Gap:
    return Gap(
        stream="hall", session=session, seq=0, published_ns=1, start=0, end=seconds * SAMPLE_RATE_HZ, cause=cause
    )


def test_a_concert_is_counted() -> None:
    metrics = make_metrics()
    for message in make_concert():
        metrics.handle(message)
    metrics.handle(make_status(4, lost_samples=SAMPLE_RATE_HZ, dropped_windows=2, drift_ppm=12.5))
    hall = {"stream": "hall"}
    assert value(metrics, "windows_total", **hall) == 4
    assert value(metrics, "elapsed_samples_total", **hall) == 4 * WINDOW_SAMPLES
    assert value(metrics, "heard_samples_total", **hall) == 4 * WINDOW_SAMPLES - SAMPLE_RATE_HZ
    assert value(metrics, "lost_samples_total", **hall) == SAMPLE_RATE_HZ
    assert value(metrics, "dropped_windows_total", **hall) == 2
    assert value(metrics, "gaps_total", **hall, cause="network") == 1
    assert value(metrics, "gap_samples_total", **hall, cause="network") == SAMPLE_RATE_HZ
    assert value(metrics, "gaps_total", **hall, cause="overload") == 0
    assert value(metrics, "lag_seconds", **hall) == 0.03
    assert value(metrics, "clock_drift_ppm", **hall) == 12.5
    assert math.isnan(value(metrics, "level_dbfs", **hall))
    metrics.handle(msgspec.structs.replace(make_status(4), level=LevelInfo(dbfs=-20.5, peak_dbfs=-3.0, clipped=0)))
    assert (value(metrics, "level_dbfs", **hall), value(metrics, "peak_dbfs", **hall)) == (-20.5, -3.0)
    assert value(metrics, "source_restarts_total", **hall) == 0


def test_inference_and_the_whole_way_are_histograms_the_latter_in_hops() -> None:
    metrics = make_metrics()
    metrics.handle(make_status())
    for number in range(3):
        metrics.handle(make_window(number))
    assert value(metrics, "inference_seconds_bucket", le="0.025") == 0
    assert value(metrics, "inference_seconds_bucket", le="0.05") == 3
    assert value(metrics, "inference_seconds_sum") == pytest.approx(3 * 0.028)
    assert value(metrics, "end_to_end_hops_bucket", stream="hall", le="0.01") == 3
    assert value(metrics, "end_to_end_hops_sum", stream="hall") == pytest.approx(3 * 0.03 / 3)
    bounds = [labels["le"] for labels, _ in scrape(metrics)["whoplays_end_to_end_hops_bucket"]]
    assert bounds == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1.0", "1.5", "2.0", "4.0", "+Inf"]


@pytest.mark.parametrize("state", get_args(State))
def test_the_state_is_one_of_all(state: State) -> None:
    metrics = make_metrics()
    metrics.handle(make_status(state=state))
    found = scrape(metrics)["whoplays_source_state"]
    assert {labels["whoplays_source_state"]: number for labels, number in found} == {
        each: float(each == state) for each in get_args(State)
    }


def test_drift_that_is_not_known_is_not_a_number() -> None:
    metrics = make_metrics()
    metrics.handle(make_status(drift_ppm=3.0))
    metrics.handle(make_status())
    assert math.isnan(value(metrics, "clock_drift_ppm", stream="hall"))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 400_000)), max_size=8))
@settings(max_examples=30)
def test_counts_never_fall_and_go_on_from_session_to_session(statuses: list[tuple[str, int, int]]) -> None:
    metrics, before, restarts, last = make_metrics(), 0.0, -1, ""
    for session, windows, lost in statuses:
        metrics.handle(make_status(windows, session=session, lost_samples=min(lost, windows * WINDOW_SAMPLES)))
        restarts, last = restarts + (session != last), session
        now = value(metrics, "heard_samples_total", stream="hall")
        assert now >= before
        before = now
        assert value(metrics, "source_restarts_total", stream="hall") == restarts


def test_a_new_session_adds_to_the_counts() -> None:
    metrics = make_metrics()
    for session in ("one", "two", "three"):
        for windows in range(5):
            metrics.handle(make_status(windows, session=session))
    assert value(metrics, "elapsed_samples_total", stream="hall") == 12 * WINDOW_SAMPLES
    assert value(metrics, "source_restarts_total", stream="hall") == 2


def test_a_stream_that_is_forgotten_vanishes_and_others_stay() -> None:
    metrics = make_metrics()
    for stream in ("hall", "foyer"):
        metrics.handle(make_status(stream=stream))
        metrics.handle(make_window(0, stream=stream))
    metrics.forget("hall")
    metrics.forget("never was")
    streams = {labels.get("stream", "") for samples in scrape(metrics).values() for labels, _ in samples}
    assert streams == {"", "foyer"}
    assert value(metrics, "windows_total", stream="foyer") == 1


def test_labels_are_bounded_whatever_the_messages_say() -> None:
    metrics = make_metrics()
    metrics.handle(make_status())
    sizes = {name: len(samples) for name, samples in scrape(metrics).items() if name.startswith("whoplays_")}
    for number in range(300):
        session = f"http://user:password@host/{number}"
        metrics.handle(make_status(session=session))
        metrics.handle(make_window(number, session=session))
        metrics.handle(make_event(number, "start", 0, f"label {number}", session=session))
        metrics.handle(make_gap(1, get_args(GapCause)[number % len(get_args(GapCause))], session=session))
        metrics.handle(make_end(1, session=session))
    found = scrape(metrics)
    assert {name: len(samples) for name, samples in found.items() if name.startswith("whoplays_")} == sizes
    assert b"password" not in generate_latest(metrics.registry)
    names = {
        label for name, samples in found.items() for labels, _ in samples for label in labels if "whoplays" in name
    }
    assert names == {"stream", "cause", "label", "result", "le", "thread", "whoplays_source_state"}


def test_what_others_count_is_asked_for_at_every_scrape() -> None:
    counts = iter(range(1, 100))
    probes = Probes(
        queue_depth=lambda: 7,
        dropped_messages=lambda: next(counts),
        handshakes=lambda: (5, 2),
        history_dropped=lambda: 3,
    )
    metrics = Metrics(probes)
    first = value(metrics, "publisher_dropped_messages_total")
    assert value(metrics, "publisher_dropped_messages_total") == first + 1
    assert value(metrics, "publisher_queue_messages") == 7
    assert value(metrics, "history_dropped_messages_total") == 3
    assert value(metrics, "subscriber_handshakes_total", result="succeeded") == 5
    assert value(metrics, "subscriber_handshakes_total", result="failed") == 2


def test_memory_and_open_files_are_measured() -> None:
    found = scrape(make_metrics())
    ((_, memory_bytes),) = found["process_resident_memory_bytes"]
    ((_, files),) = found["process_open_fds"]
    assert memory_bytes > 1e6
    assert files > 2
