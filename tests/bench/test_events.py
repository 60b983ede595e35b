"""Events in made concerts: what a tiny model is told to hear, and which hysteresis is found."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import whoplays
from tests.stream.tiny_model import LOUD
from whoplays.bench.concerts import read_concerts
from whoplays.bench.event_scores import Played, Told
from whoplays.bench.events import Audience, Heard, best, measure_events, tell
from whoplays.models.card import Hysteresis
from whoplays.models.errors import DataError, OptionError
from whoplays.stream.pubsub.messages import ModelInfo
from whoplays.training.evaluate.store import read_events

RATE_HZ = 44_100
MADE = ModelInfo(name="made", version="1", sha256="0123456789ab")


def audience(values: list[float], played: list[Played]) -> Audience:
    """One concert in which a piano's probability, of a window every second, is as given."""
    heard = Heard(tuple(played), np.array(values, np.float32)[:, None])
    return Audience(MADE, ("piano",), (0.5,), [heard])


WAVERING = [0.0] * 6 + [0.9, 0.9, 0.3, 0.9, 0.3, 0.9, 0.9] + [0.0] * 5
"""A piano that wavers down to 0.6 of its threshold."""


def test_events_are_told_as_live_ones_are() -> None:
    """The first window above shows it: it begins with that window, and is known at its end."""
    one = audience(WAVERING, [])
    assert tell(one, one.heard[0], Hysteresis(release=0.5), 1) == [Told("piano", 6.0, 15.0, 9.0)]
    assert len(tell(one, one.heard[0], Hysteresis(release=0.8), 1)) == 3


def test_at_a_hop_of_three_only_every_third_window_is_judged() -> None:
    one = audience(WAVERING, [])
    assert tell(one, one.heard[0], Hysteresis(release=0.8), 3) == [Told("piano", 6.0, 15.0, 9.0)]


def test_who_plays_at_the_end_is_told_of() -> None:
    one = audience([0.0, 0.9], [])
    assert tell(one, one.heard[0], Hysteresis(), 1) == [Told("piano", 1.0, 4.0, 4.0)]


def test_the_hysteresis_that_makes_one_event_of_one_is_found() -> None:
    one = audience(WAVERING, [Played("piano", 6.5, 15)])
    assert best([one]) == Hysteresis(release=0.6)


def test_who_is_hardly_heard_is_kept_out() -> None:
    """A piano that plays once, and two others of which it might be thought."""
    values = [0.0] * 4 + [0.6] * 3 + [0.0] * 4 + [0.95] * 6 + [0.0] * 4 + [0.55] * 2 + [0.0] * 3
    one = audience(values, [Played("piano", 11, 19)])
    found = best([one])
    assert 0.6 < found.enters_at(0.5) <= 0.95
    assert tell(one, one.heard[0], found, 1) == [Told("piano", 11.0, 19.0, 14.0)]


def test_what_makes_no_difference_leaves_the_default() -> None:
    one = audience([0.0] * 3 + [0.9] * 6 + [0.0] * 3, [Played("piano", 3, 11)])
    assert best([one]) == Hysteresis()


def write_concerts(folder: Path) -> Path:
    """A concert: silence, a violin (the right channel) from 6 s to 15 s, silence."""
    folder.mkdir()
    sound = np.zeros((24 * RATE_HZ, 2), np.float32)
    sound[6 * RATE_HZ : 15 * RATE_HZ, 1] = LOUD * np.sin(2 * np.pi * 440 * np.arange(9 * RATE_HZ) / RATE_HZ)
    soundfile.write(folder / "concert.flac", sound, RATE_HZ)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "labels", "start_s", "end_s"), ("concert.flac", "vio", "6", "15")])
    return folder


@pytest.fixture
def halls(tmp_path: Path) -> list[Path]:
    return [write_concerts(tmp_path / name) for name in "ab"]


def test_a_model_hears_concerts(halls: list[Path], model: Path) -> None:
    found = measure_events(halls, [str(model)] * 2)
    assert (found.concerts, [one.name for one in found.conditions.models]) == (2, ["tiny", "tiny"])
    assert found.conditions.provider == "cpu"
    fitted = [row for row in found.rows if row.hysteresis is None]
    assert [row.hop_s for row in fitted] == [1, 3]
    for row in fitted:
        assert (row.scores.played, row.scores.told, row.scores.right) == (2, 2, 2)
    assert fitted[1].scores.onset_offset_f1 == 1.0
    assert fitted[1].scores.delays_s == (3.0, 3.0)


def test_the_result_is_a_file(
    halls: list[Path], model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    places = [part for hall in halls for part in ("--concerts", str(hall), "--model", str(model))]
    kept = tmp_path / "hysteresis.json"
    whoplays.main(["bench", "events", *places, "--json", str(kept)])
    assert json.loads(kept.read_bytes())["hysteresis"] == {"entry": 0.0, "release": 0.8}
    assert "An entry of 0 with a release of 0.8 fits all 2 concerts best" in capfd.readouterr().out
    figures = read_events(kept)
    assert figures
    assert (figures.by_hop_s()[3].told, figures.by_hop_s()[3].right) == (2, 2)
    whoplays.main(["bench", "report", str(kept)])
    page = capfd.readouterr().out
    assert f"## Events by tiny 0.1 and tiny 0.1 on cpu\n\n    whoplays bench events {' '.join(places)}\n" in page
    assert "| fitted to others | 3 | 2 | 2 | 2 | 1.000 | 1.000 | 3.00 | 3.00 |" in page


def test_where_nobody_is_told_of_nothing_is_fitted(
    halls: list[Path], model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for hall in halls:
        soundfile.write(hall / "concert.flac", np.zeros((24 * RATE_HZ, 2)), RATE_HZ)
    places = [part for hall in halls for part in ("--concerts", str(hall), "--model", str(model))]
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "events", *places, "--json", str(tmp_path / "hysteresis.json")])
    assert "nobody who enters was told of, at any entry and release, so that none is fitted" in capfd.readouterr().err
    assert not (tmp_path / "hysteresis.json").exists()


def test_one_folder_is_not_enough(halls: list[Path], model: Path) -> None:
    with pytest.raises(OptionError, match="give two folders of concerts or more"):
        measure_events(halls[:1], [str(model)])
    with pytest.raises(OptionError, match="as many models"):
        measure_events(halls, [str(model)])
    with pytest.raises(OptionError, match="the same concerts twice"):
        measure_events([halls[0], halls[0]], [str(model)] * 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("concert.flac,vio,15,6", "ends before it begins"),
        ("concert.flac,vio,soon,6", "two times in a row"),
        ("concert.flac,kazoo,1,6", "unknown label"),
        ("", "holds no concerts"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "index.csv").write_text(f"path,labels,start_s,end_s\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_concerts(tmp_path)


def test_what_is_no_folder_of_concerts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.csv cannot be read"):
        read_concerts(tmp_path)
    folder = write_concerts(tmp_path / "concerts")
    soundfile.write(folder / "concert.flac", np.zeros((100, 2)), 22_050)
    with pytest.raises(DataError, match="must be stereo at 44100 Hz"):
        read_concerts(folder)[0].audio()
