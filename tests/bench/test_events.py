"""Events in made concerts: what a stream detects by a tiny model, and which hysteresis is fitted."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import whoplays
from tests.stream.tiny_model import LOUD
from whoplays.bench.events import (
    ConcertPredictions,
    ModelPredictions,
    detect_events,
    fit_settings,
    measure_events,
    read_concerts,
)
from whoplays.models.card import Frames, Hysteresis
from whoplays.models.errors import DataError, OptionError
from whoplays.models.event_scores import DetectedEvent, EventSettings, ReferenceEvent
from whoplays.stream.pubsub.messages import ModelInfo
from whoplays.training.evaluate.store import read_events

RATE_HZ = 44_100
WAVERING = [0.0] * 6 + [0.9, 0.9, 0.3, 0.9, 0.3, 0.9, 0.9] + [0.0] * 5
"""A piano that wavers down to 0.6 of its threshold."""
MODEL = ModelInfo(name="made", version="1", sha256="0123456789ab")


def predictions(values: list[float], *references: ReferenceEvent) -> ModelPredictions:
    """One concert with a piano's probabilities, of a window every second."""
    concert = ConcertPredictions(references, np.array(values, np.float32)[:, None])
    return ModelPredictions(MODEL, ("piano",), (0.5,), None, [concert])


def detected(found: ModelPredictions, hysteresis: Hysteresis, hop_s: int = 1) -> list[DetectedEvent]:
    return detect_events(found, found.concerts[0], EventSettings(hysteresis=hysteresis, frames=found.frames), hop_s)


def test_events_are_detected_as_in_a_stream() -> None:
    """The first window above the threshold shows the onset: it is the window's start, and is known at its end."""
    wavering = predictions(WAVERING)
    assert detected(wavering, Hysteresis(release=0.5)) == [DetectedEvent("piano", 6.0, 15.0, 9.0, 16.0)]
    assert len(detected(wavering, Hysteresis(release=0.8))) == 3


def test_at_a_hop_of_three_every_third_window_counts() -> None:
    found = detected(predictions(WAVERING), Hysteresis(release=0.8), 3)
    assert found == [DetectedEvent("piano", 6.0, 15.0, 9.0, 18.0)]


def test_an_event_that_lasts_to_the_end_is_detected() -> None:
    """It is known to be over at the end of the last window."""
    assert detected(predictions([0.0, 0.9]), Hysteresis()) == [DetectedEvent("piano", 1.0, 4.0, 4.0, 4.0)]


def test_the_hysteresis_that_makes_one_event_of_one_is_fitted() -> None:
    """The largest release that lets a piano waver down to 0.6 of its threshold is the nearest to the default."""
    fitted = fit_settings([predictions(WAVERING, ReferenceEvent("piano", 6.5, 15))])
    assert fitted == EventSettings(hysteresis=Hysteresis(release=0.6))


def test_false_detections_are_kept_out_by_an_entry() -> None:
    """A piano that plays once, and two other sounds that are a little like one."""
    values = [0.0] * 4 + [0.6] * 3 + [0.0] * 4 + [0.95] * 6 + [0.0] * 4 + [0.55] * 2 + [0.0] * 3
    one = predictions(values, ReferenceEvent("piano", 11, 19))
    hysteresis = fit_settings([one]).hysteresis
    assert 0.6 < hysteresis.enters_at(0.5) <= 0.95
    assert detected(one, hysteresis) == [DetectedEvent("piano", 11.0, 19.0, 14.0, 20.0)]


def test_without_a_difference_the_default_is_fitted() -> None:
    one = predictions([0.0] * 3 + [0.9] * 6 + [0.0] * 3, ReferenceEvent("piano", 3, 11))
    assert fit_settings([one]) == EventSettings(hysteresis=Hysteresis())


STEPS = Frames(step_samples=13_230, first_sample=0, delay_samples=0)
"""Ten steps of 0.3 s in a window of 3 s."""


def framed(plays: tuple[tuple[float, float], ...], *references: ReferenceEvent) -> ModelPredictions:
    """One concert of 20 s in which a model with steps sees a piano in these spans, by a window every second."""
    middles_s = np.arange(18)[:, None] + 0.3 * (np.arange(10) + 0.5)
    piano = np.any([(begin <= middles_s) & (middles_s < end) for begin, end in plays], axis=0).astype(np.float32)
    concert = ConcertPredictions(references, piano.max(axis=1)[:, None], piano[:, :, None])
    return ModelPredictions(MODEL, ("piano",), (0.5,), STEPS, [concert])


def test_a_model_with_steps_tells_when_within_the_window() -> None:
    (found,) = detected(framed(((5.4, 9.9),)), Hysteresis())
    assert found.start_s == pytest.approx(5.4, abs=0.3)
    assert found.end_s == pytest.approx(9.9, abs=0.3)
    # At the end of the first window that shows it for as long as it must be kept: 1 s, and 1.2 s for the offset.
    assert (found.start_known_s, found.end_known_s) == (7.0, 12.0)


def test_how_long_an_onset_must_last_is_fitted() -> None:
    """A flicker of 0.4 s is no event."""
    one = framed(((3.0, 3.4), (8.1, 11.1)), ReferenceEvent("piano", 8.1, 11.1))
    settings = fit_settings([one])
    assert settings.frames
    assert settings.frames.step_samples == STEPS.step_samples
    assert settings.frames.enter_samples == round(0.6 * RATE_HZ)
    (found,) = detect_events(one, one.concerts[0], settings, 1)
    assert found.start_s == pytest.approx(8.1, abs=0.3)


def test_a_model_whose_steps_are_too_timid_is_given_a_bias() -> None:
    """Where it plays they say 0.1, far below the threshold: then the same as a graph with that bias would give."""
    timid = framed(((8.1, 12.0),), ReferenceEvent("piano", 8.1, 12.0))
    (concert,) = timid.concerts
    assert concert.frames is not None
    frames = np.where(concert.frames > 0, 0.1, 0.001).astype(np.float32)
    timid = timid._replace(thresholds=(0.4,), concerts=[concert._replace(frames=frames)])
    settings = fit_settings([timid])
    assert settings.frames
    assert settings.frames.bias is not None
    (found,) = detect_events(timid, timid.concerts[0], settings, 1)
    assert found.start_s == pytest.approx(8.1, abs=0.3)
    biased = 1 / (1 + np.exp(-(np.log(frames / (1 - frames)) + settings.frames.bias + np.log(0.4 / 0.6))))
    shipped = timid._replace(frames=settings.frames, concerts=[concert._replace(frames=np.asarray(biased, np.float32))])
    assert detect_events(shipped, shipped.concerts[0], settings, 1) == [found]
    again = fit_settings([shipped]).frames
    assert again
    assert again.bias == settings.frames.bias


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
    kept = tmp_path / "events.json"
    whoplays.main(["bench", "events", *options, "--json", str(kept)])
    assert json.loads(kept.read_bytes())["settings"] == {"hysteresis": {"entry": 0.0, "release": 0.8}, "frames": None}
    assert "An entry of 0 with a release of 0.8 fits all 2 concerts best" in capfd.readouterr().out
    figures = read_events(kept)
    assert figures
    assert figures.concerts == 2
    crossed = {row.hop_s: row.scores for row in figures.rows if row.fitted_to_others}
    assert (crossed[3].references, crossed[3].detections) == (2, 2)
    assert crossed[3].onset_f1 == crossed[3].offset_f1 == (1.0, 1.0, 1.0)
    whoplays.main(["bench", "report", str(kept)])
    page = capfd.readouterr().out
    assert f"## Events by tiny 0.1 and tiny 0.1 on cpu\n\n    whoplays bench events {' '.join(options)}\n" in page
    assert "| fitted to others | 1 | 2 | 2 | " in page
    assert (
        "| fitted to others | 3 | 2 | 2 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 3.00 | 3.00 | 3.00 | 3.00 |"
        in page
    )


def test_without_any_onset_nothing_is_fitted(
    folders: list[Path], options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        soundfile.write(folder / "concert.flac", np.zeros((24 * RATE_HZ, 2)), RATE_HZ)
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "events", *options, "--json", str(tmp_path / "events.json")])
    assert "no onset was detected with any settings" in capfd.readouterr().err
    assert not (tmp_path / "events.json").exists()


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
        ('concert.flac,"one, two",1,6', r"index\.csv: a label must be an English name"),
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
