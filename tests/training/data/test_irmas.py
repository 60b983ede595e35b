from pathlib import Path

import numpy as np
import pytest

from tests.training.data.tiny_corpus import write_sound
from whoplays.models.errors import DataError
from whoplays.models.labels import NAMES, to_name
from whoplays.training.data.corpora import open_corpus
from whoplays.training.data.irmas import Irmas, IrmasTest, recording_number
from whoplays.training.data.library import Library
from whoplays.training.data.splits import by_group

SOUND = 0.1 * np.ones(1000)
EXCERPTS = (
    "gac/[gac][pop_roc]0571__1",
    "gac/[gac][pop_roc]0571__2",
    "gac/[gac][pop_roc]0571__3",
    "gac/[gac][cou_fol]0572__1",
    "gac/[gac][cou_fol]0573__1",
    "cel/008__[cel][nod][cla]0058__1",
    "cel/008__[cel][nod][cla]0058__2",
    "cel/[cel][cla]0001__1",
    "cel/[cel][cla]0002__1",
)


@pytest.fixture(scope="module")
def irmas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the one that users download, in small."""
    folder = tmp_path_factory.mktemp("irmas")
    for name in EXCERPTS:
        write_sound(folder / "IRMAS-TrainingData" / f"{name}.wav", SOUND)
    (folder / "IRMAS-TrainingData" / "README.txt").write_text("what users find beside the folders")
    return folder


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A test part with one sound excerpt, and others that lack something."""
    folder = tmp_path / "IRMAS-TestingData-Part1"
    labels = {"(02) a song-1": "gac\t\nvoi\t\n", "(02) a song-2": "gac", "no labels-1": None, "odd-1": "gac\nlute\n"}
    for name, written in labels.items():
        write_sound(folder / "Part1" / f"{name}.wav", SOUND)
        if written is not None:
            (folder / "Part1" / f"{name}.txt").write_text(written)
    (folder / "Part1" / "damaged-1.wav").write_bytes(b"RIFF, and then nothing")
    (folder / "Part1" / "damaged-1.txt").write_text("pia")
    return folder


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("[gac][pop_roc]0571__1", "0571"),
        ("008__[cel][nod][cla]0058__1", "0058"),
        ("[cel][cla]0001__12", "0001"),
        ("something else", "something else"),
    ],
)
def test_the_digits_before_the_last_underscores_number_the_recording(name: str, number: str) -> None:
    assert recording_number(Path(f"{name}.wav")) == number


def test_training_clips_have_their_folders_label(irmas: Path) -> None:
    clips = open_corpus(irmas).clips()
    assert len(clips) == len(EXCERPTS)
    assert all(clip.labels == {to_name(clip.path.parent.name)} for clip in clips)
    assert {label for clip in clips for label in clip.labels} <= set(NAMES)
    assert {clip.licence for clip in clips} == {"CC BY-NC-SA 3.0 (IRMAS)"}


def test_excerpts_of_one_recording_stay_together(irmas: Path) -> None:
    clips = Irmas(irmas).clips()
    assert len({clip.group for clip in clips}) == 6
    for seed in range(20):
        for part in by_group(clips, seed):
            for number in ("0571", "0058"):
                assert sum(number in clip.path.name for clip in part) in {0, 2 if number == "0058" else 3}


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "IRMAS-TrainingData" / "gac").mkdir(parents=True)
    (tmp_path / "IRMAS-TestingData-Part2").mkdir()
    with pytest.raises(DataError, match="has no IRMAS-TrainingData/<code>/"):
        open_corpus(tmp_path).clips()
    with pytest.raises(DataError, match="holds no recordings"):
        open_corpus(tmp_path / "IRMAS-TestingData-Part2").clips()


def test_test_excerpts_have_the_labels_written_beside_them(part: Path) -> None:
    clips = {clip.path.stem: clip for clip in IrmasTest(part).clips() if clip.path.suffix == ".wav"}
    assert clips["(02) a song-1"].labels == {"acoustic guitar", "voice"}
    assert clips["(02) a song-2"].labels == {"acoustic guitar"}
    assert clips["(02) a song-1"].group == clips["(02) a song-2"].group


def test_what_is_missing_or_damaged_is_named(part: Path, tmp_path: Path) -> None:
    good, skipped = Library(tmp_path / "cache").readable(open_corpus(part).clips())
    assert [clip.path.name for clip in good] == ["(02) a song-1.wav", "(02) a song-2.wav"]
    assert sorted(path.name for path, _ in skipped) == ["damaged-1.wav", "no labels-1.txt", "odd-1.txt"]
    reasons = {path.name: reason for path, reason in skipped}
    assert "No such file" in reasons["no labels-1.txt"]
