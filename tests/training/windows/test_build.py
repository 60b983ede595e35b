"""Preparing windows: what a shard holds, and what the command makes, continues and refuses."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from whoplays.training.networks.log_mel import MelPower

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

LABELS = tuple(NAMES)


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
    command = f"whoplays train band-melcnn --data {corpus} --prepared {folder} --out runs/mine"
    assert last == f"{folder} holds 32 windows or more; train on it with: {command}"
    made = {path: path.read_bytes() for path in folder.glob("shard-*.npz")}
    assert len(made) == 2
    (folder / "shard-00001.npz").unlink()
    whoplays.main(["material", *options, "--windows", "48"])
    assert {path: path.read_bytes() for path in made} == made
    windows = shards.load([folder], set(shards.read_manifest(folder).groups)).windows
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
        build.open_windows(recipes.find("band-melcnn"), clips, library, RunFolder(tmp_path), [tmp_path / "windows"])


def test_windows_of_other_labels_than_the_recipes_are_refused(
    clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    build.build(tmp_path / "windows", spec(clips, library.cache), 16, 1, lambda _: None)
    recipe = msgspec.structs.replace(recipes.find("band-melcnn"), labels=("piano",))
    with pytest.raises(DataError, match=r"the windows are of cel .*, the recipe of pia"):
        build.open_windows(recipe, clips, library, RunFolder(tmp_path), [tmp_path / "windows"])


def test_mel_power_is_that_of_the_audio(solos: SoloGenerator, clips: list[Clip], cache: Path) -> None:
    power = MelPower()
    scapes = draw_soundscapes(solos, 1, 0)
    kept = build._to_shard(power, scapes, spec(clips, cache).manifest())
    alone = build._log_power(power, np.stack([scapes[3].audio]))
    np.testing.assert_allclose(kept.log_power[3], alone[0], atol=0.02)


def test_nothing_is_begun_with_rooms_that_are_not_there(clips: list[Clip], cache: Path, tmp_path: Path) -> None:
    """The manifest would refuse what is then put right."""
    with pytest.raises(DataError, match="no impulse response"):
        build.build(tmp_path / "windows", spec(clips, cache, tmp_path / "none"), 8, 1, lambda _: None)
    assert not (tmp_path / "windows").exists()


@pytest.mark.parametrize(("option", "least"), [("windows", 1), ("workers", 1), ("seed", 0)])
def test_no_windows_or_workers_are_refused(
    option: str, least: int, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["prepare", str(tmp_path / "windows"), "--data", str(corpus), f"--{option}={least - 1}"])
    assert f"--{option} must be at least {least}, got {least - 1}" in capsys.readouterr().err
