"""Concerts: what sounds is what the index says, and the same seed gives the same concert."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

import whoplays
from whoplays.models.errors import DataError
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.run import RunFolder, configure
from whoplays.training.simulate.concert import Concert, Simulator, sounding

RATE_HZ = 44_100
LABELS = ("acoustic guitar", "piano", "trumpet", "violin")


@pytest.fixture(scope="module")
def made(library: Library, clips: list[Clip]) -> Concert:
    return Simulator(library, clips, LABELS).concert(150, np.random.default_rng(4))


def playing(made: Concert, at_s: float) -> set[str]:
    return {part.label for part in made.parts if part.start_s <= at_s < part.end_s}


def test_parts_lie_within_the_concert_and_last(made: Concert) -> None:
    length_s = made.audio.shape[1] / RATE_HZ
    assert 150 <= length_s < 200
    assert all(0 <= part.start_s < part.end_s <= length_s + 1e-6 for part in made.parts)
    assert min(part.end_s - part.start_s for part in made.parts) >= 6 - 1e-3
    assert {part.label for part in made.parts} <= set(LABELS)


def test_an_instrument_is_no_two_at_once_and_no_more_than_three_play(made: Concert) -> None:
    counts = set()
    for at_s in np.arange(0, made.audio.shape[1] / RATE_HZ, 0.5):
        now = [part.label for part in made.parts if part.start_s <= at_s < part.end_s]
        assert len(now) == len(set(now))
        counts.add(len(now))
    assert {0, 1, 2} <= counts <= {0, 1, 2, 3}


def test_who_enters_is_heard_from_then_on(made: Concert) -> None:
    """A solo that enters after silence: no sound before, sound after."""
    alone = [part for part in made.parts if not playing(made, part.start_s - 0.01)]
    assert alone
    for part in alone:
        at = round(part.start_s * RATE_HZ)
        assert np.abs(made.audio[:, at : at + RATE_HZ]).max() > 1e-3
    assert np.isfinite(made.audio).all()
    assert np.abs(made.audio).max() <= 0.9 + 1e-6


def test_between_pieces_is_silence_or_another_sound(made: Concert) -> None:
    """Concerts begin with an interlude, and some interludes are silent."""
    assert not playing(made, 0.0)
    seconds = made.audio[:, : made.audio.shape[1] // RATE_HZ * RATE_HZ].reshape(2, -1, RATE_HZ)
    assert (np.abs(seconds).max(axis=(0, 2)) == 0).any()


def test_the_same_seed_is_the_same_concert(library: Library, clips: list[Clip], made: Concert) -> None:
    players = Simulator(library, clips, LABELS)
    again, other = (players.concert(150, np.random.default_rng(seed)) for seed in (4, 5))
    assert np.array_equal(again.audio, made.audio)
    assert again.parts == made.parts != other.parts


def test_silence_before_and_after_is_no_playing() -> None:
    rest = np.zeros((1, RATE_HZ), np.int16)
    tone = np.full((1, RATE_HZ), 9000, np.int16)
    found = sounding(np.concatenate([rest, tone, rest, tone, rest], axis=1))
    assert found.shape == (2, 3 * RATE_HZ)


def test_a_concert_needs_instruments_and_other_sounds(library: Library, clips: list[Clip]) -> None:
    with pytest.raises(DataError, match="single instruments and of other sounds"):
        Simulator(library, [clip for clip in clips if clip.labels], LABELS)


def test_concerts_are_written_with_an_index(corpus: Path, cache: Path, clips: list[Clip], tmp_path: Path) -> None:
    """And of what a run has not heard alone."""
    run = RunFolder(tmp_path / "run")
    heard = [clip for clip in clips if clip.labels & {"acoustic guitar", "piano", "trumpet"}]
    run.write_config(configure(recipes.find("band-mobilenet"), (), Splits(heard, [], [])))
    given = ["--data", str(corpus), "--run", str(run.folder), "--cache", str(cache), "--count=2", "--minutes=0.5"]
    whoplays.main(["simulate", str(tmp_path / "made"), *given])
    rows = list(csv.DictReader((tmp_path / "made" / "index.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["path"] for row in rows} == {"concert01.flac", "concert02.flac"}
    assert {row["labels"] for row in rows} == {"violin"}
    for row in rows:
        length_s = soundfile.info(tmp_path / "made" / row["path"]).duration
        assert 0 <= float(row["start_s"]) < float(row["end_s"]) <= length_s + 1e-3


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--count=0", "--count must be 1 or more"),
        ("--minutes=0", "--count must be 1 or more"),
        ("--seed=-1", "--seed must be at least 0, got -1"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, complaint: str
) -> None:
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["simulate", str(tmp_path), "--data", str(corpus), option])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"whoplays: {complaint}")


def test_an_index_of_other_recordings_is_not_written_over(
    corpus: Path, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Labels that somebody wrote by hand are not made again; concerts are."""
    given = ["--data", str(corpus), "--cache", str(cache), "--count=1", "--minutes=0.5"]
    for _ in range(2):
        whoplays.main(["simulate", str(tmp_path / "made"), *given])
    capfd.readouterr()
    before = (corpus / "index.csv").read_bytes()
    with pytest.raises(SystemExit):
        whoplays.main(["simulate", str(corpus), *given])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("lists other recordings than concerts; choose another folder for them")
    assert (corpus / "index.csv").read_bytes() == before
    assert not (corpus / "concert01.flac").exists()
