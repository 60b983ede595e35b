"""Audio that no model can judge: one stream's trouble, and a gap of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.stream.engines import all_messages
from tests.stream.pipeline.test_engine import SECOND, FakeSource, check_tiling, noise, of_kind
from tests.stream.tiny_model import write_tiny_model
from whoplays.models.errors import ModelError, ProviderError, SourceError
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Gap, Message, Status, Window, decode, encode
from whoplays.stream.sources.base import SourceSpec
from whoplays.stream.sources.file import FileSource
from whoplays.stream.sources.stdin import PcmSource


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that returns NaN for a window that is loud."""
    return write_tiny_model(tmp_path_factory.mktemp("fragile"), nan_above=0.1)


def loud(seconds: float) -> Audio:
    return np.full((2, round(seconds * SECOND)), 0.9, np.float32)


def spans(messages: list[Message]) -> list[tuple[int, int, str]]:
    return [(gap.start, gap.end, gap.cause) for gap in of_kind(messages, Gap)]


@pytest.mark.parametrize("batches", [(1,), (1, 2, 4)])
@pytest.mark.parametrize("hop_samples", [WINDOW_SAMPLES, 50_000, SECOND // 2])
def test_windows_that_the_model_cannot_judge_are_gaps_of_what_no_other_window_covers(
    fragile: Path, hop_samples: int, batches: tuple[int, ...]
) -> None:
    recognizer = Recognizer.load(fragile, "cpu", batches=batches)
    audio = [noise(7.0), loud(5.0), noise(10.0), loud(4.0)]
    messages = list(all_messages(FakeSource(audio), recognizer, hop_samples=hop_samples))
    check_tiling(messages)
    assert {cause for _, _, cause in spans(messages)} == {"invalid"}
    judged = {window.start for window in of_kind(messages, Window)}
    all_starts = range(0, 26 * SECOND - WINDOW_SAMPLES + 1, hop_samples)
    assert judged < set(all_starts)
    covered = np.zeros(26 * SECOND, bool)
    for start in judged:
        covered[start : start + WINDOW_SAMPLES] = True
    told = np.zeros(26 * SECOND, int)
    for start, end, _ in spans(messages):
        told[start:end] += 1
    last = all_starts[-1] + WINDOW_SAMPLES
    np.testing.assert_array_equal(told[:last], ~covered[:last])


def test_no_other_stream_notices_and_detail_tells_it_once(fragile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 10_000_000)
    recognizer, engine = Recognizer.load(fragile, "cpu"), Engine()
    for name, audio in {"loud": [loud(30.0)], "hall": [noise(30.0)]}.items():
        engine.add(SourceSpec.opened(FakeSource(audio)), recognizer, StreamOptions(stream=name))
    messages = list(engine.run())
    engine.check()
    assert len([each for each in of_kind(messages, Window) if each.stream == "hall"]) == 10
    assert not [each for each in of_kind(messages, Window) if each.stream == "loud"]
    ends = {end.stream: (end.reason, end.detail) for end in of_kind(messages, End)}
    assert ends == {"loud": ("finished", ""), "hall": ("finished", "")}
    details = {stream: {each.detail for each in of_kind(messages, Status) if each.stream == stream} for stream in ends}
    assert details["hall"] == {""}
    assert len(details["loud"] - {""}) == 1


class FailingProvider:
    """A session whose provider fails on a window that is loud, or on all."""

    def __init__(self, session: Any, limit: float) -> None:
        self._session, self._limit = session, limit

    def run(self, outputs: Any, inputs: dict[str, Audio], options: Any) -> Any:
        if np.abs(inputs["audio"]).max() > self._limit:
            raise RuntimeError("device is busy")
        return self._session.run(outputs, inputs, options)


@pytest.mark.parametrize(
    ("limit", "lost"),
    [(0.8, [(k * WINDOW_SAMPLES, (k + 1) * WINDOW_SAMPLES, "invalid") for k in range(3)]), (-1.0, None)],
)
def test_only_a_provider_that_fails_on_silence_too_ends_all(
    fragile: Path, limit: float, lost: list[tuple[int, int, str]] | None
) -> None:
    recognizer = Recognizer.load(fragile, "cpu")
    recognizer._session = FailingProvider(recognizer._session, limit)
    source = FakeSource([loud(9.0), noise(6.0)])
    if lost is None:
        with pytest.raises(ProviderError, match="device is busy"):
            list(all_messages(source, recognizer))
    else:
        assert spans(list(all_messages(source, recognizer))) == lost


def test_a_status_has_the_level_of_what_is_heard(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.pipeline.stream.HEARTBEAT_NS", 1_000_000)
    messages = list(all_messages(FakeSource([loud(60.0)]), recognizer))
    heard = [status.level for status in of_kind(messages, Status) if status.state == "listening"]
    assert {(level.dbfs, level.peak_dbfs, level.clipped) for level in heard if level} == {(-0.92, -0.92, 0)}
    others = [status for status in of_kind(messages, Status) if status.state in {"connecting", "ended"}]
    assert others
    assert [status.level for status in others if status.level] == []


def test_a_model_that_fails_on_silence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="returned NaN or infinity"):
        Recognizer.load(write_tiny_model(tmp_path, nan_above=-1.0), "cpu")


def test_a_file_with_samples_beyond_all_measure_is_heard_to_its_end(tmp_path: Path, recognizer: Recognizer) -> None:
    audio = noise(12.0)
    audio[:, 5 * SECOND : 5 * SECOND + 8_820] = 1e18
    soundfile.write(tmp_path / "loud.wav", audio.T, SECOND, subtype="FLOAT")
    messages = list(all_messages(FileSource(tmp_path / "loud.wav", "max"), recognizer))
    assert [window.start for window in of_kind(messages, Window)] == list(range(0, 12 * SECOND, WINDOW_SAMPLES))
    assert of_kind(messages, Status)[-1].clipped_samples == 8_820
    assert spans(messages) == []
    check_tiling(messages)


def test_samples_that_are_no_numbers_are_a_gap(recognizer: Recognizer) -> None:
    audio = noise(7.0)
    audio[0, SECOND], audio[1, SECOND + 99] = np.nan, np.inf
    messages = list(all_messages(FakeSource([audio]), recognizer))
    assert spans(messages) == [(SECOND, SECOND + 100, "invalid")]
    assert [window.quality.lost_samples for window in of_kind(messages, Window)] == [100, 0]


class NumpyTimes(FakeSource):
    """Whose times come out of an array."""

    def blocks(self) -> Iterator[Block]:
        for block in super().blocks():
            time_ns: Any = np.int64(block.captured_at_ns)
            yield block._replace(captured_at_ns=time_ns)


def test_a_source_may_have_times_of_any_integer_type(recognizer: Recognizer) -> None:
    (window,) = of_kind(list(all_messages(NumpyTimes([noise(4.0)]), recognizer)), Window)
    assert decode(encode(window)) == window


@pytest.mark.parametrize("piped", [False, True])
def test_what_is_damaged_in_a_recording_is_a_gap_where_it_is(
    tmp_path: Path, recognizer: Recognizer, piped: bool
) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (9 * SECOND, 2)), SECOND)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40_000] = bytes(40_000)
    path.write_bytes(data)
    messages: list[Message] = []
    with path.open("rb") as file:
        source = PcmSource(PcmFormat(), file.fileno()) if piped else FileSource(path, "max")
        with pytest.raises(SourceError, match=r"is damaged after 4\.\d s"):
            messages.extend(all_messages(source, recognizer))
    assert {cause for _, _, cause in spans(messages)} == {"invalid"}
    lost = sum(end - start for start, end, _ in spans(messages))
    assert 0.1 * SECOND < lost < 2 * SECOND
    assert all(4.0 * SECOND < start < end < 6.0 * SECOND for start, end, _ in spans(messages))
    assert of_kind(messages, Status)[-1].counters.lost_samples == lost
    assert sum(window.quality.lost_samples for window in of_kind(messages, Window)) == lost
