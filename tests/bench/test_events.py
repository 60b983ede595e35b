"""Events in made concerts: what a stream detects by a tiny model, and which hysteresis is fitted."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from whoplays.bench.event_scores import DetectedEvent, ReferenceEvent

import whoplays
from tests.stream.tiny_model import LOUD
from whoplays.bench.events import (
    ConcertPredictions,
    ModelPredictions,
    detect_events,
    fit_hysteresis,
    measure_events,
    read_concerts,
)
from whoplays.models.card import Hysteresis
from whoplays.models.errors import DataError, OptionError
from whoplays.stream.pubsub.messages import ModelInfo
from whoplays.training.evaluate.store import read_events

RATE_HZ = 44_100
WAVERING = [0.0] * 6 + [0.9, 0.9, 0.3, 0.9, 0.3, 0.9, 0.9] + [0.0] * 5
"""A piano that wavers down to 0.6 of its threshold."""


def predictions(values: list[float], *references: ReferenceEvent) -> ModelPredictions:
    """One concert with a piano's probabilities, of a window every second."""
    concert = ConcertPredictions(references, np.array(values, np.float32)[:, None])
    model = ModelInfo(name="made", version="1", sha256="0123456789ab")
    return ModelPredictions(model, ("piano",), (0.5,), [concert])


def detected(found: ModelPredictions, hysteresis: Hysteresis, hop_s: int = 1) -> list[DetectedEvent]:
    return detect_events(found, found.concerts[0], hysteresis, hop_s)


def test_events_are_detected_as_in_a_stream() -> None:
    """The first window above the threshold shows the onset: it is the window's start, and is known at its end."""
    wavering = predictions(WAVERING)
    assert detected(wavering, Hysteresis(release=0.5)) == [DetectedEvent("piano", 6.0, 15.0, 9.0)]
    assert len(detected(wavering, Hysteresis(release=0.8))) == 3


def test_at_a_hop_of_three_every_third_window_counts() -> None:
    assert detected(predictions(WAVERING), Hysteresis(release=0.8), 3) == [DetectedEvent("piano", 6.0, 15.0, 9.0)]


def test_an_event_that_lasts_to_the_end_is_detected() -> None:
    assert detected(predictions([0.0, 0.9]), Hysteresis()) == [DetectedEvent("piano", 1.0, 4.0, 4.0)]


def test_the_hysteresis_that_makes_one_event_of_one_is_fitted() -> None:
    assert fit_hysteresis([predictions(WAVERING, ReferenceEvent("piano", 6.5, 15))]) == Hysteresis(release=0.6)


def test_false_detections_are_kept_out_by_an_entry() -> None:
    """A piano that plays once, and two other sounds that are a little like one."""
    values = [0.0] * 4 + [0.6] * 3 + [0.0] * 4 + [0.95] * 6 + [0.0] * 4 + [0.55] * 2 + [0.0] * 3
    one = predictions(values, ReferenceEvent("piano", 11, 19))
    hysteresis = fit_hysteresis([one])
    assert 0.6 < hysteresis.enters_at(0.5) <= 0.95
    assert detected(one, hysteresis) == [DetectedEvent("piano", 11.0, 19.0, 14.0)]


def test_without_a_difference_the_default_is_fitted() -> None:
    one = predictions([0.0] * 3 + [0.9] * 6 + [0.0] * 3, ReferenceEvent("piano", 3, 11))
    assert fit_hysteresis([one]) == Hysteresis()


def write_concerts(folder: Path) -> Path:
    """A concert: silence, a violin (the right channel) from 6 s to 15 s, silence."""
    folder.mkdir()
    sound = np.zeros((24 * RATE_HZ, 2), np.float32)
    sound[6 * RATE_HZ : 15 * RATE_HZ, 1] = LOUD * np.sin(2 * np.pi * 440 * np.arange(9 * RATE_HZ) / RATE_HZ)
    soundfile.write(folder / "concert.flac", sound, RATE_HZ)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "labels", "start_s", "end_s"), ("concert.flac", "violin", "6", "15")])
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [write_concerts(tmp_path / name) for name in "ab"]


@pytest.fixture
def options(folders: list[Path], model: Path) -> list[str]:
    return [word for folder in folders for word in ("--concerts", str(folder), "--model", str(model))]


def test_the_result_is_a_file_for_export_and_report(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "hysteresis.json"
    whoplays.main(["bench", "events", *options, "--json", str(kept)])
    assert json.loads(kept.read_bytes())["hysteresis"] == {"entry": 0.0, "release": 0.8}
    assert "An entry of 0 with a release of 0.8 fits all 2 concerts best" in capfd.readouterr().out
    figures = read_events(kept)
    assert figures
    assert (figures.concerts, figures.by_hop_s()[3].detected, figures.by_hop_s()[3].right) == (2, 2, 2)
    whoplays.main(["bench", "report", str(kept)])
    page = capfd.readouterr().out
    assert f"## Events by tiny 0.1 and tiny 0.1 on cpu\n\n    whoplays bench events {' '.join(options)}\n" in page
    assert "| fitted to others | 1 | 2 | 2 | 2 | " in page
    assert "| fitted to others | 3 | 2 | 2 | 2 | 1.000 | 1.000 | 3.00 | 3.00 |" in page


def test_without_any_onset_nothing_is_fitted(
    folders: list[Path], options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        soundfile.write(folder / "concert.flac", np.zeros((24 * RATE_HZ, 2)), RATE_HZ)
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "events", *options, "--json", str(tmp_path / "hysteresis.json")])
    assert "no onset was detected with any entry and release" in capfd.readouterr().err
    assert not (tmp_path / "hysteresis.json").exists()


def test_two_different_folders_are_needed(folders: list[Path], model: Path) -> None:
    for few, models in ((folders[:1], 1), (folders, 1)):
        with pytest.raises(OptionError, match="in pairs, two or more"):
            measure_events(few, [str(model)] * models)
    with pytest.raises(OptionError, match="different folders"):
        measure_events([folders[0], folders[0]], [str(model)] * 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("concert.flac,vio,15,6", "must end after it starts"),
        ("concert.flac,vio,soon,6", "two times in a row"),
        ("concert.flac,kazoo,1,6", "unknown label"),
        ("", "lists no concerts"),
    ],
)
def test_an_index_with_a_mistake_is_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "index.csv").write_text(f"path,labels,start_s,end_s\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_concerts(tmp_path)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.csv cannot be read"):
        read_concerts(tmp_path)
    folder = write_concerts(tmp_path / "concerts")
    soundfile.write(folder / "concert.flac", np.zeros((100, 2)), 22_050)
    with pytest.raises(DataError, match="must be stereo at 44100 Hz"):
        read_concerts(folder)[0].audio()
