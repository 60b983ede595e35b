"""Preparing windows: what a shard holds, and what the command makes, continues and refuses."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

import whoplays
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.run import RunFolder
from whoplays.training.windows import build, shards, soundscapes
from whoplays.training.windows.shards import KINDS
from whoplays.training.windows.solos import SoloGenerator
from whoplays.training.windows.soundscapes import draw_soundscapes

LABELS = NAMES


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundscapes, "SHARD_WINDOWS", 16)
    build._worker.cache_clear()


@pytest.fixture(scope="module")
def solos(library: Library, clips: list[Clip]) -> SoloGenerator:
    return SoloGenerator(library, [clips], LABELS)


def spec(clips: list[Clip], cache: Path | None, rooms: Path | None = None) -> build.BuildSpec:
    return build.BuildSpec((tuple(clips),), LABELS, cache, rooms, 1)


def test_a_shard_has_solos_and_mixtures(solos: SoloGenerator) -> None:
    scapes = draw_soundscapes(solos, 1, 0)
    assert [scape.kind for scape in scapes] == ["solo"] * 12 + ["mix"] * 4
    again, other = draw_soundscapes(solos, 1, 0), draw_soundscapes(solos, 1, 1)
    for one, two in zip(scapes, again, strict=True):
        np.testing.assert_array_equal(one.audio, two.audio)
    assert not np.array_equal(scapes[0].audio, other[0].audio)


def test_a_mixture_says_all_that_plays_and_all_it_is_made_of(solos: SoloGenerator, clips: list[Clip]) -> None:
    labels_of = {clip.group: clip.labels for clip in clips if len(clip.labels) < 2}
    mixes = [scape for scape in draw_soundscapes(solos, 1, 0) if scape.kind == "mix"]
    assert mixes
    for mix in mixes:
        assert mix.labels == frozenset().union(*(labels_of[group] for group in mix.groups))


def test_all_of_a_mixture_and_every_other_solo_are_panned(
    solos: SoloGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = np.zeros(132_300, np.float32)
    monkeypatch.setattr(soundscapes, "panned", lambda *_: nowhere)
    scapes = [scape for number in range(4) for scape in draw_soundscapes(solos, 1, number)]
    heard = [(scape.kind, bool(scape.audio.any())) for scape in scapes]
    assert ("mix", False) in heard
    assert ("mix", True) not in heard
    assert 12 < heard.count(("solo", False)) < 36


def test_windows_are_prepared_by_command_and_continued(
    corpus: Path, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By its old name, too."""
    folder = tmp_path / "windows"
    options = [str(folder), "--data", str(corpus), "--cache", str(cache)]
    whoplays.main(["prepare", *options, "--windows", "32"])
    first, second, last = capfd.readouterr().err.splitlines()[-3:]
    assert (first, second) == ("16 windows made", "32 windows made")
    command = f"whoplays train --data {corpus} --prepared {folder} --out runs/mine"
    assert last == f"{folder} holds 32 windows or more; train on it with: {command}"
    made = {path: path.read_bytes() for path in folder.glob("shard-*.npz")}
    assert len(made) == 2
    (folder / "shard-00001.npz").unlink()
    whoplays.main(["material", *options, "--windows", "48"])
    assert {path: path.read_bytes() for path in made} == made
    windows = shards.load([folder], set(shards.read_manifest(folder).groups), LABELS).windows
    assert len(windows.kinds) == 48
    played = windows.targets[windows.kinds == KINDS.index("solo")]
    assert {LABELS[k] for k in np.flatnonzero(played.any(axis=0))} == set(CORE)


def test_a_run_does_not_claim_to_train_on_what_its_windows_do_not_hold(clips: list[Clip], tmp_path: Path) -> None:
    shards.begin(tmp_path / "windows", shards.describe(clips, LABELS, None, 1))
    other = [msgspec.structs.replace(clip, group=f"other/{clip.group}") for clip in clips]
    build.refuse_unprepared({"tiny@all": clips, "nothing": []}, [tmp_path / "windows"])
    with pytest.raises(DataError, match=r"windows holds nothing of other@1/2: prepare it .* --data other, or leave"):
        build.refuse_unprepared({"tiny@all": clips, "other@1/2": other}, [tmp_path / "windows"])


def test_windows_are_not_kept_among_other_files(corpus: Path, cache: Path, clips: list[Clip]) -> None:
    with pytest.raises(DataError, match="tiny holds something else than prepared windows; choose another folder"):
        build.build(corpus, spec(clips, cache), 8, 1, lambda _: None)
    assert not (corpus / "manifest.json").exists()


def test_mixtures_are_not_drawn_from_other_sounds_alone(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    noises = [clip for clip in clips if not clip.labels]
    build.build(tmp_path / "windows", spec(noises, library.cache), 16, 1, lambda _: None)
    with pytest.raises(DataError, match=r"no instrument plays alone in the windows of .*windows that this run may use"):
        build.open_windows(recipes.find("band-mobilenet"), clips, library, RunFolder(tmp_path), [tmp_path / "windows"])
