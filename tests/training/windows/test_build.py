from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import whoplays
from tests.training.data.tiny_corpus import write_piped
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipe as recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.music import Music, licences
from whoplays.training.data.splits import Splits
from whoplays.training.run import RunFolder, configure
from whoplays.training.windows import build as material
from whoplays.training.windows import shards as bank
from whoplays.training.windows import soundscapes
from whoplays.training.windows.channel import reproduced
from whoplays.training.windows.shards import KINDS
from whoplays.training.windows.solos import Stems
from whoplays.training.windows.soundscapes import shard

LABELS = tuple(NAMES)


class Loudness:
    """A teacher that says how loud a window is."""

    name: Final = "loudness"
    classes: Final = 2

    def logits(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([np.square(mono).mean(axis=1), np.abs(mono).max(axis=1)], axis=1)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    tone = np.sin(np.arange(5 * 32_000) * 0.05).astype(np.float32)
    soundfile.write(folder / "album" / "song.flac", tone, 32_000)
    soundfile.write(folder / "effect.wav", tone[:16_000], 32_000)
    (folder / "broken.ogg").write_bytes(b"no music")
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundscapes, "SHARD_WINDOWS", 16)


def made_of(clips: list[Clip], cache: Path, **parts: Path | None) -> material.Material:
    given = {"music": None, "rooms": None, "teachers": None} | parts
    return material.Material(corpora=(tuple(clips),), labels=LABELS, cache=cache, seed=1, **given)


def test_music_is_read_from_whole_recordings_at_any_rate(music: Path) -> None:
    window = Music(music).draw(np.random.default_rng(1))
    assert window.shape == (132_300,)
    assert np.abs(window).max() == pytest.approx(1, abs=0.01)


def test_a_folder_without_music_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recording of three seconds or more"):
        Music(tmp_path)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        Music(tmp_path / "nowhere")


def test_music_of_unknown_length_is_left_out(music: Path) -> None:
    """It would count as longer than all else together."""
    write_piped(music / "piped.flac", np.full(5 * 44_100, 0.25))
    windows = [Music(music).draw(np.random.default_rng(seed)) for seed in range(3)]
    assert all(window.max() > 0.9 for window in windows)


def test_equipment_keeps_length_and_level() -> None:
    audio = np.random.default_rng(1).standard_normal(132_300).astype(np.float32)
    for seed in range(24):
        heard = reproduced(audio, np.random.default_rng(seed))
        assert heard.shape == audio.shape
        assert heard.dtype == np.float32
        assert np.square(heard).mean() == pytest.approx(1, rel=0.05)


def test_a_shard_has_solos_mixes_and_music(library: Library, clips: list[Clip], music: Path) -> None:
    stems = Stems(library, [clips], LABELS)
    scapes = shard(stems, Music(music), 1, 0)
    assert [scape.kind for scape in scapes] == ["solo"] * 8 + ["mix"] * 4 + ["music"] * 4
    assert [scape.kind for scape in shard(stems, None, 1, 0)] == ["solo"] * 12 + ["mix"] * 4
    again, other = shard(stems, Music(music), 1, 0), shard(stems, Music(music), 1, 1)
    for one, two in zip(scapes, again, strict=True):
        np.testing.assert_array_equal(one.audio, two.audio)
    assert not np.array_equal(scapes[0].audio, other[0].audio)


def test_a_mix_says_all_that_plays_and_all_it_is_made_of(library: Library, clips: list[Clip]) -> None:
    labels_of = {clip.group: clip.labels for clip in clips if len(clip.labels) < 2}
    mixes = [scape for scape in shard(Stems(library, [clips], LABELS), None, 1, 0) if scape.kind == "mix"]
    assert mixes
    for mix in mixes:
        assert mix.labels == frozenset().union(*(labels_of[group] for group in mix.groups))


def test_every_player_of_a_mix_has_a_place_and_every_other_solo(
    library: Library, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = np.zeros(132_300, np.float32)
    monkeypatch.setattr(soundscapes, "placed", lambda *_: nowhere)
    stems = Stems(library, [clips], LABELS)
    scapes = [scape for number in range(4) for scape in shard(stems, None, 1, number)]
    heard = [(scape.kind, bool(scape.audio.any())) for scape in scapes]
    assert ("mix", False) in heard
    assert ("mix", True) not in heard
    assert 12 < heard.count(("solo", False)) < 36


def test_a_bank_is_made_by_command_and_gone_on_with(
    corpus: Path, cache: Path, tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "call_teachers", lambda folder: [Loudness()] if folder else [])
    material._workshop.cache_clear()
    folder = tmp_path / "bank"
    command = ["material", str(folder), "--data", str(corpus), "--cache", str(cache), "--music", str(music)]
    command += ["--teachers", str(tmp_path)]
    whoplays.main([*command, "--windows", "20"])
    first = {path: path.read_bytes() for path in folder.glob("shard-*.npz")}
    assert len(first) == 2
    (folder / "shard-00001.npz").unlink()
    whoplays.main([*command, "--windows", "48"])
    assert {path: path.read_bytes() for path in first} == first
    manifest = bank.read_manifest(folder)
    whole = bank.load([folder], set(manifest.groups)).windows
    assert manifest.teachers == ("loudness",)
    assert len(whole.kinds) == 48
    assert (whole.lessons[:, 0] > 0).all()
    assert not whole.targets[whole.kinds == KINDS.index("music")].any()
    played = whole.targets[whole.kinds == KINDS.index("solo")]
    assert {LABELS[k] for k in np.flatnonzero(played.any(axis=0))} == set(CORE)


def test_the_command_says_what_to_do_with_a_bank(
    corpus: Path, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    material._workshop.cache_clear()
    folder = tmp_path / "bank"
    whoplays.main(["material", str(folder), "--data", str(corpus), "--cache", str(cache), "--windows", "32"])
    first, second, last = capfd.readouterr().err.splitlines()[-3:]
    assert (first, second) == ("16 windows made", "32 windows made")
    told = f"whoplays train band-melcnn --data {corpus} --bank {folder} --out runs/mine"
    assert last == f"{folder} holds 32 windows or more; train on it with: {told}"


def test_a_run_does_not_claim_to_hear_what_its_banks_do_not_hold(clips: list[Clip], tmp_path: Path) -> None:
    bank.begin(tmp_path / "bank", bank.describe(clips, LABELS, None, None, (), 1))
    other = [msgspec.structs.replace(clip, group=f"other/{clip.group}") for clip in clips]
    material.refuse_unheard({"tiny@all": clips, "nothing": []}, [tmp_path / "bank"])
    with pytest.raises(DataError, match=r"bank holds nothing of other@1/2: make one with .* --data other, or leave"):
        material.refuse_unheard({"tiny@all": clips, "other@1/2": other}, [tmp_path / "bank"])


def test_a_bank_is_not_made_among_other_files(corpus: Path, cache: Path, clips: list[Clip]) -> None:
    with pytest.raises(DataError, match="tiny holds something else than a bank; choose another folder"):
        material.fill(corpus, made_of(clips, cache), 8, 1, lambda _: None)
    assert not (corpus / "manifest.json").exists()


def test_a_bank_without_corpora_is_all_music(
    music: Path, cache: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "call_teachers", lambda folder: [Loudness()] if folder else [])
    material._workshop.cache_clear()
    folder, labelled = tmp_path / "bank", tmp_path / "labelled"
    songs = ["--music", str(music), "--teachers", str(tmp_path), "--windows", "16", "--cache", str(cache)]
    whoplays.main(["material", str(folder), *songs])
    windows = bank.load([folder], set()).windows
    assert (windows.kinds == KINDS.index("music")).all()
    assert (windows.lessons[:, 0] > 0).all()
    given = ["--data", str(corpus), "--cache", str(cache), "--teachers", str(tmp_path), "--windows", "32"]
    whoplays.main(["material", str(labelled), *given])
    both = bank.load([folder, labelled], set(bank.read_manifest(labelled).groups))
    assert len(both.windows.kinds) == 48


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "say with --data which corpora to play from, or with --music which recordings"),
        (["--music", "songs"], "nobody knows what plays in --music but teachers"),
        (["--music", "songs", "--teachers", "them", "--rooms", "halls"], "--rooms are what recordings of --data are"),
    ],
)
def test_a_bank_of_what_nobody_knows_is_refused(
    given: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["material", str(tmp_path / "bank"), *given])
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "bank").exists()


def test_bands_are_not_mixed_of_music_and_other_sounds_alone(
    music: Path, clips: list[Clip], library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "call_teachers", lambda folder: [Loudness()] if folder else [])
    material._workshop.cache_clear()
    given = material.Material((), LABELS, None, music, None, tmp_path, 1)
    material.fill(tmp_path / "bank", given, 16, 1, lambda _: None)
    windows = bank.load([tmp_path / "bank"], set()).windows
    windows.kinds[:4] = KINDS.index("solo")
    bank.keep(tmp_path / "bank", 0, windows)
    with pytest.raises(DataError, match=r"nothing that this run may hear plays alone in .*bank; add a bank"):
        material.open_bank(recipes.find("band-melcnn"), clips, library, RunFolder(tmp_path), [tmp_path / "bank"])


@pytest.mark.parametrize("weight", [0.5, 0.0])
def test_lessons_without_weight_are_none(
    weight: float, clips: list[Clip], library: Library, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that unlabelled music, of which nothing else is to be learnt, is not heard either."""
    monkeypatch.setattr(material, "call_teachers", lambda folder: [Loudness()] if folder else [])
    material._workshop.cache_clear()
    taught = made_of(clips, cache, teachers=tmp_path)
    material.fill(tmp_path / "bank", taught, 16, 1, lambda _: None)
    recipe = msgspec.structs.replace(recipes.find("band-melcnn"), lesson_weight=weight, labels=taught.labels)
    opened = material.open_bank(recipe, clips, library, RunFolder(tmp_path), [tmp_path / "bank"])
    assert bool(opened.windows.lessons.shape[1]) is (weight > 0)


def test_a_bank_of_nothing_is_refused(tmp_path: Path) -> None:
    given = material.Material((), LABELS, None, None, None, None, 1)
    with pytest.raises(DataError, match="from corpora or from music, and there are neither"):
        material.fill(tmp_path / "bank", given, 16, 1, lambda _: None)


def test_mel_power_is_that_of_the_audio(clips: list[Clip], cache: Path) -> None:
    """What is kept is the window itself, at an RMS of 1, not at the level that teachers hear."""
    material._workshop.cache_clear()
    given = made_of(clips, cache)
    shop = material._Workshop(given)
    scapes = shard(shop.stems, None, 1, 0)
    kept = material._prepared(shop, scapes, given.manifest())
    alone = material._log_power(shop.power, np.stack([scapes[3].audio]))
    np.testing.assert_allclose(kept.log_power[3], alone[0], atol=0.02)


def test_a_bank_is_not_begun_with_what_is_not_there(clips: list[Clip], cache: Path, tmp_path: Path) -> None:
    """Its manifest would refuse what is then put right."""
    with pytest.raises(DataError, match="no impulse response"):
        material.fill(tmp_path / "bank", made_of(clips, cache, rooms=tmp_path / "none"), 8, 1, lambda _: None)
    assert not (tmp_path / "bank").exists()


def test_a_folder_without_teachers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no teacher"):
        material.call_teachers(tmp_path)


@pytest.mark.parametrize(("option", "least"), [("windows", 1), ("workers", 1), ("seed", 0)])
def test_no_windows_or_workers_are_refused(
    option: str, least: int, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["material", str(tmp_path / "bank"), "--data", str(corpus), f"--{option}={least - 1}"])
    assert f"--{option} must be {least} or more, not {least - 1}" in capsys.readouterr().err


def test_unlabelled_recordings_have_names_and_licences(music: Path) -> None:
    assert licences(music) == [("music", "none stated")]
    (music / "licences.csv").write_text("name,licence\nalbum,CC0\nabba,CC BY 4.0\n")
    assert licences(music) == [("abba", "CC BY 4.0"), ("album", "CC0")]
    (music / "licences.csv").write_text("name,licence\nalbum\nabba,\n", encoding="utf-8-sig")
    assert licences(music) == [("abba", "none stated"), ("album", "none stated")]
    (music / "licences.csv").write_text("album,CC0\n")
    with pytest.raises(DataError, match="lacks the columns name, licence"):
        licences(music)


def test_a_run_says_who_taught_it_and_on_what(music: Path, tmp_path: Path, clips: list[Clip]) -> None:
    bank.begin(tmp_path / "bank", bank.describe(clips, LABELS, music, None, ("yamnet",), 1))
    config = configure(recipes.find("band-melcnn"), (), Splits(clips, [], []))
    told = material.with_banks(config, [tmp_path / "bank"])
    assert (told.teachers, told.music) == (("yamnet",), (("music", "none stated"),))
    deaf = msgspec.structs.replace(config, recipe=msgspec.structs.replace(config.recipe, lesson_weight=0.0))
    told = material.with_banks(deaf, [tmp_path / "bank"])
    assert (told.teachers, told.music) == ((), ())


def test_a_run_knows_its_banks_by_what_they_hold(clips: list[Clip], tmp_path: Path) -> None:
    """One that is resumed with others, or with more of the same, would go on with other labels for the same music."""
    config = configure(recipes.find("band-melcnn"), (), Splits(clips, [], []))
    one, two = tmp_path / "one", tmp_path / "two"
    bank.begin(one, bank.describe(clips, LABELS, None, None, (), 1))
    bank.begin(two, bank.describe(clips, LABELS, None, None, (), 2))
    made = [material.with_banks(config, folders).banks for folders in ([], [one], [two], [one, two])]
    bank.keep(one, 0, bank.empty(8, 11, 0))
    made.append(material.with_banks(config, [one]).banks)
    assert len(set(made)) == 5
    assert material.with_banks(config, [one]).banks == made[-1]


def test_what_taught_the_base_is_told_too(music: Path, tmp_path: Path, clips: list[Clip]) -> None:
    """A run that goes on from another, with other banks or none, has learnt from its teachers and music as well."""
    splits = Splits(clips, [], [])
    before = msgspec.structs.replace(
        configure(recipes.find("band-melcnn"), (), splits), teachers=("efficientat",), music=(("album", "CC0"),)
    )
    RunFolder(tmp_path / "base").write_config(before)
    config = configure(recipes.find("band-melcnn"), (), splits, tmp_path / "base")
    assert (config.teachers, config.music) == (before.teachers, before.music)
    bank.begin(tmp_path / "bank", bank.describe(clips, LABELS, music, None, ("yamnet",), 1))
    told = material.with_banks(config, [tmp_path / "bank"])
    assert told.teachers == ("efficientat", "yamnet")
    assert told.music == (("album", "CC0"), ("music", "none stated"))
