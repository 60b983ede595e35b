from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.stream.history.make_history import make_window
from tests.stream.make_messages import make_end, make_gap, make_status
from whoplays.bench.latency import STAGES, measure_latency, stage_samples
from whoplays.bench.receiver import Arrival, SubscriberProcess, collect_arrivals, window_times
from whoplays.bench.results import LatencyResult
from whoplays.models.errors import EndpointError, OptionError, WhoplaysError
from whoplays.stream.pubsub.messages import End, Message
from whoplays.stream.pubsub.publisher import Publisher

MS = 1_000_000
JOIN_S = 30


def make_arrival(end: int, sent_ms: int) -> Arrival:
    """2 ms until it arrived, 3 in the queue, 4 for inference, 5 until it is received."""
    times_ms = (sent_ms + 2, sent_ms + 5, sent_ms + 9, sent_ms + 14)
    return Arrival(end, *(time * MS for time in times_ms))


def test_latency_counts_from_when_the_last_sample_was_due() -> None:
    first = window_times(20 * MS, 21 * MS, make_arrival(882, 21))
    second = window_times(30 * MS, 32 * MS, make_arrival(1323, 32))
    stages = stage_samples([first, second], 2)
    assert tuple(stages) == STAGES
    assert stages["send"] == [1 * MS, 2 * MS]
    assert [stages[stage] for stage in STAGES[1:]] == [[count * MS] * 2 for count in (2, 3, 4, 5)]


def test_an_arrival_is_estimated_no_earlier_than_its_sending() -> None:
    times = window_times(20 * MS, 24 * MS, make_arrival(882, 21))
    assert (times.sent_ns, times.arrived_ns) == (24 * MS, 24 * MS)


def test_waiting_in_overload_is_under_queue() -> None:
    """Windows that wait in the ring buffer for their turn have arrived."""
    status, window = make_status(0), make_window(0)
    timing = msgspec.structs.replace(window.timing, ready_ns=900 * MS, infer_start_ns=901 * MS, infer_end_ns=950 * MS)
    waited = msgspec.structs.replace(window, timing=timing)
    counters = msgspec.structs.replace(status.counters, dropped_windows=7)
    messages: list[Message] = [waited, msgspec.structs.replace(status, counters=counters), make_end(0)]
    (arrival,), dropped = collect_arrivals(messages)
    assert dropped == 7
    assert (arrival.infer_start_ns - arrival.arrived_ns, arrival.infer_end_ns - arrival.infer_start_ns) == (
        901 * MS,
        49 * MS,
    )


def test_without_any_window_there_is_no_latency() -> None:
    with pytest.raises(EndpointError, match="none of 3 windows was received"):
        stage_samples([], 3)


def test_three_processes_measure_the_whole_path(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The result is on standard output, and nothing else."""
    options = f"--model {model} --windows 3 --hop 0.1 --provider cpu"
    whoplays.main(["bench", "latency", *options.split(), "--json", "-"])
    out, err = capfd.readouterr()
    result = msgspec.json.decode(out, type=LatencyResult)
    assert (result.windows, result.received, result.lost, result.hop_s) == (3, 3, 0, 0.1)
    assert (result.conditions.model.name, result.conditions.provider) == ("tiny", "cpu")
    assert result.command == f"whoplays bench latency {options}"
    assert {len(times) for times in result.samples_us.values()} == {3}
    for times in (result.latency, *result.stages.values()):
        assert 0 <= times.p50_ms <= times.p90_ms <= times.p99_ms <= times.max_ms <= result.latency.max_ms
    assert "Latency of tiny 0.1" in err
    assert "3 received, 0 lost" in err


@pytest.mark.slow
def test_clients_of_the_page_look_on(model: Path) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    result = measure_latency(str(model), 10, 0.2, "cpu", 3)
    assert (result.received, result.lost) == (10, 0)
    assert result.command.endswith(" --page-clients 3")
    with pytest.raises(OptionError, match="page_clients must be between 0 and 32, got 33"):
        measure_latency(str(model), 10, 0.2, "cpu", 33)


def test_a_window_that_comes_too_late_is_lost(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cut-off is before the second of two windows is due, and long after the first was."""
    monkeypatch.setattr("whoplays.bench.latency.CUTOFF_S", -0.1)
    result = measure_latency(str(model), 2, 1.0, "cpu")
    assert (result.windows, result.received, result.lost) == (2, 1, 1)


@pytest.mark.parametrize(
    ("hop_s", "provider", "message"),
    [(0.0, "cpu", "^hop must be between .* got 0"), (0.1, "abacus", "^provider must be cpu or cuda, got 'abacus'")],
)
def test_a_mistake_that_the_listener_finds_is_reported(model: Path, hop_s: float, provider: str, message: str) -> None:
    with pytest.raises(WhoplaysError, match=message):
        measure_latency(str(model), 3, hop_s, provider)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher


def test_the_subscriber_receives_from_the_first_status_to_the_end(publisher: Publisher) -> None:
    with SubscriberProcess(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        status = make_status(0)
        publisher.send(status)
        assert subscriber.status() == status
        end = End(
            stream=status.stream, session=status.session, seq=0, published_ns=0, reason="finished", detail="", final=0
        )
        publisher.send(end)
        assert subscriber.arrivals() == ([], 0)


def test_another_first_message_than_a_status_is_refused(publisher: Publisher) -> None:
    with SubscriberProcess(publisher.endpoint) as subscriber:
        assert publisher.wait_for_subscriber(JOIN_S)
        publisher.send(make_gap(0))
        with pytest.raises(EndpointError, match="no status came from tcp://"):
            subscriber.status()


def test_the_exit_of_the_subscriber_is_noticed(publisher: Publisher) -> None:
    with SubscriberProcess(publisher.endpoint) as subscriber:
        subscriber._process.kill()
        with pytest.raises(EndpointError, match="has exited"):
            subscriber.status()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--streams 2", "streams must be 1 with a pipe, got 2; other sources: rtp, zmq"),
        ("--source radio", "source must be one of pipe, rtp, zmq, got radio"),
        ("--source rtp --streams 2000", "streams must be between 1 and 1000, got 2000"),
        ("--source rtp --packet-ms 0", "packet_ms must be between 1 and 50, got 0"),
        ("--source zmq --page-clients 1", "page_clients must be 0 with a source other than a pipe"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "latency", *options.split()])
    assert message in capfd.readouterr().err
