from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.data.make_clips import clip
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training.windows import shards, soundscapes
from whoplays.training.windows.shards import Shard

CLIPS = [clip("a", ["piano"], group="near"), clip("b", ["violin"], group="far"), clip("c", group="off")]


def describe(seed: int = 1) -> shards.Manifest:
    return shards.describe(CLIPS, CORE, None, seed)


def shard_of(groups: list[list[int]]) -> Shard:
    """Windows that say by their power which row they were."""
    shard = shards.empty_shard(len(groups), len(CORE))
    for row, indices in enumerate(groups):
        shard.log_power[row] = row
        shard.groups[row, : len(indices)] = indices
    return shard


def test_a_window_made_of_anything_that_is_held_out_is_left_out(tmp_path: Path) -> None:
    """What would make a fold's figures a lie: a held-out recording in a mixture."""
    manifest = describe()
    far, near, off = (manifest.groups.index(group) for group in ("far", "near", "off"))
    shards.begin(tmp_path, manifest)
    shards.write_shard(tmp_path, 0, shard_of([[near], [far], [near, far], [off, near], []]))
    usable = shards.load([tmp_path], {"near", "off", "elsewhere"}, CORE)
    assert usable.windows.log_power[:, 0, 0].tolist() == [0, 3, 4]
    assert usable.labels == CORE


def test_there_may_be_more_groups_than_int16_counts(tmp_path: Path) -> None:
    """As many as recordings, where an index gives each a group of its own."""
    manifest = shards.describe([clip(f"{k}", ["piano"], group=f"{k:05d}") for k in range(40_001)], CORE, None, 1)
    shards.begin(tmp_path, manifest)
    shards.write_shard(tmp_path, 0, shard_of([[40_000], [1]]))
    assert shards.load([tmp_path], {"40000"}, CORE).windows.groups.tolist() == [[40_000, -1, -1, -1]]


def test_shards_of_earlier_versions_are_refused(tmp_path: Path) -> None:
    """They hold another front end's mel power; their manifests say of it what is known no more."""
    manifest = msgspec.to_builtins(describe()) | {"teachers": ["yamnet"], "music": "songs"}
    del manifest["generation"]
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    old = shard_of([[0], [1]])
    arrays = old._asdict() | {"log_power": old.log_power[:, ::2, ::2], "lessons": np.zeros((2, 521), np.float16)}
    np.savez(shards.shard_path(tmp_path, 0), **arrays)
    with pytest.raises(DataError, match="of an older version; prepare the windows again"):
        shards.load([tmp_path], {describe().groups[1]}, CORE)
    with pytest.raises(DataError, match="or of an older version; choose another folder"):
        shards.begin(tmp_path, describe())


def test_several_folders_are_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        shards.begin(tmp_path / name, describe())
        shards.write_shard(tmp_path / name, 0, shard_of([[0], [1]]))
    both = shards.load([tmp_path / "one", tmp_path / "two"], set(describe().groups), CORE)
    assert len(both.windows.kinds) == 4


def test_labels_that_are_not_asked_for_are_other_sounds(tmp_path: Path) -> None:
    """And those that a folder does not have do not play in its windows."""
    for name, labels in (("one", CORE), ("two", ("violin", "lute"))):
        shards.begin(tmp_path / name, shards.describe(CLIPS, labels, None, 1))
        shard = shards.empty_shard(1, len(labels))
        shard.targets[0, labels.index("violin")] = True
        shards.write_shard(tmp_path / name, 0, shard)
    found = shards.load([tmp_path / "one", tmp_path / "two"], set(), ("piano", "violin"))
    assert found.windows.targets.tolist() == [[False, True]] * 2
    assert not shards.load([tmp_path / "two"], set(), ("lute", "piano")).windows.targets.any()


def test_nothing_usable_is_refused(tmp_path: Path) -> None:
    shards.begin(tmp_path, describe())
    shards.write_shard(tmp_path, 0, shard_of([[0]]))
    with pytest.raises(DataError, match="made only of what this run may train on"):
        shards.load([tmp_path], set(), CORE)


def test_only_missing_shards_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundscapes, "SHARD_WINDOWS", 8)
    shards.begin(tmp_path, describe())
    shards.write_shard(tmp_path, 1, shard_of([[0]]))
    assert shards.missing_shards(tmp_path, 17) == [0, 2]


def test_a_folder_is_continued_only_from_the_same(tmp_path: Path) -> None:
    shards.begin(tmp_path, describe())
    shards.begin(tmp_path, describe())
    with pytest.raises(DataError, match="holds windows of other recordings or settings"):
        shards.begin(tmp_path, describe(seed=2))


def test_other_labels_of_a_recording_make_other_windows() -> None:
    changed = [clip("a", ["acoustic guitar"], group="near"), *CLIPS[1:]]
    assert shards.describe(changed, CORE, None, 1).digest != describe().digest


def test_windows_are_known_by_what_they_are_made_of_and_how_many_they_are(tmp_path: Path) -> None:
    """A run that is resumed with others, or with more of the same, would continue with other windows."""
    one, two = tmp_path / "one", tmp_path / "two"
    shards.begin(one, describe())
    shards.begin(two, describe(seed=2))
    known = [shards.fingerprint(one), shards.fingerprint(two)]
    shards.write_shard(one, 0, shard_of([[0]]))
    known.append(shards.fingerprint(one))
    assert len(set(known)) == 3
    assert shards.fingerprint(one) == known[-1]


def test_a_folder_without_windows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not found in .*whoplays prepare"):
        shards.load([tmp_path], {"near"}, CORE)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    shards.begin(tmp_path, describe())
    shards.shard_path(tmp_path, 0).write_bytes(b"PK\x03\x04 not a shard")
    with pytest.raises(DataError, match=r"shard-00000.npz is damaged"):
        shards.load([tmp_path], {"near"}, CORE)


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"manifest.json cannot be written: Not a directory"):
        shards.begin(tmp_path / "file" / "windows", describe())


def test_a_shard_survives_being_written(tmp_path: Path) -> None:
    shard = shards.empty_shard(3, len(CORE))
    shard.log_power[:] = np.linspace(-18, 5, 3, dtype=np.float16)[:, None, None]
    shards.begin(tmp_path, describe())
    shards.write_shard(tmp_path, 0, shard)
    again = shards.load([tmp_path], set(), CORE).windows
    for name in Shard._fields:
        kept, made = np.asarray(getattr(again, name)), np.asarray(getattr(shard, name))
        assert kept.dtype == made.dtype
        np.testing.assert_array_equal(kept, made)
