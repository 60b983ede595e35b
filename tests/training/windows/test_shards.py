import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.data.make_clips import clip
from tests.training.data.tiny_corpus import write_sound
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training.windows import shards as bank
from whoplays.training.windows import soundscapes
from whoplays.training.windows.shards import Shard

CLIPS = [clip("a", ["pia"], group="near"), clip("b", ["vio"], group="far"), clip("c", group="off")]


def describe(seed: int = 1) -> bank.Manifest:
    return bank.describe(CLIPS, CORE, None, None, (), seed)


def shard_of(groups: list[list[int]]) -> Shard:
    """Windows that say by their power which row they were."""
    shard = bank.empty(len(groups), len(CORE), 0)
    for row, places in enumerate(groups):
        shard.log_power[row] = row
        shard.groups[row, : len(places)] = places
    return shard


def test_a_window_made_of_anything_that_may_not_be_heard_is_left_out(tmp_path: Path) -> None:
    """What would make a fold's figures a lie: a held-out recording in a mix."""
    manifest = describe()
    far, near, off = (manifest.groups.index(group) for group in ("far", "near", "off"))
    bank.begin(tmp_path, manifest)
    bank.keep(tmp_path, 0, shard_of([[near], [far], [near, far], [off, near], []]))
    heard = bank.load([tmp_path], {"near", "off", "elsewhere"})
    assert heard.windows.log_power[:, 0, 0].tolist() == [0, 3, 4]
    assert heard.labels == CORE


def test_there_may_be_more_groups_than_int16_counts(tmp_path: Path) -> None:
    """As many as recordings, where an index gives each a group of its own."""
    manifest = bank.describe([clip(f"{k}", ["pia"], group=f"{k:05d}") for k in range(40_001)], CORE, None, None, (), 1)
    bank.begin(tmp_path, manifest)
    bank.keep(tmp_path, 0, shard_of([[40_000], [1]]))
    heard = bank.load([tmp_path], {"40000"})
    assert heard.windows.groups.tolist() == [[40_000, -1, -1, -1]]


def test_a_bank_that_counts_groups_in_int16_is_still_heard(tmp_path: Path) -> None:
    bank.begin(tmp_path, describe())
    new = shard_of([[0], [1]])
    bank.keep(tmp_path, 0, new)
    bank.keep(tmp_path, 1, new._replace(groups=new.groups.astype(np.int16)))
    heard = bank.load([tmp_path], {describe().groups[1]})
    assert heard.windows.groups.tolist() == [[1, -1, -1, -1]] * 2


def test_several_banks_are_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        bank.begin(tmp_path / name, describe())
        bank.keep(tmp_path / name, 0, shard_of([[0], [1]]))
    both = bank.load([tmp_path / "one", tmp_path / "two"], set(describe().groups))
    assert len(both.windows.kinds) == 4


def test_banks_of_other_teachers_are_refused(tmp_path: Path) -> None:
    for name, teachers in (("one", ()), ("two", ("yamnet",))):
        bank.begin(tmp_path / name, bank.describe(CLIPS, CORE, None, None, teachers, 1))
    with pytest.raises(DataError, match="same labels and teachers"):
        bank.load([tmp_path / "one", tmp_path / "two"], {"near"})


def test_nothing_that_may_be_heard_is_refused(tmp_path: Path) -> None:
    bank.begin(tmp_path, describe())
    bank.keep(tmp_path, 0, shard_of([[0]]))
    with pytest.raises(DataError, match="made only of what this run may hear"):
        bank.load([tmp_path], set())


def test_only_missing_shards_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundscapes, "SHARD_WINDOWS", 8)
    bank.begin(tmp_path, describe())
    bank.keep(tmp_path, 1, shard_of([[0]]))
    assert bank.missing(tmp_path, 17) == [0, 2]


def test_a_bank_is_gone_on_with_only_by_the_same(tmp_path: Path) -> None:
    bank.begin(tmp_path, describe())
    bank.begin(tmp_path, describe())
    with pytest.raises(DataError, match="holds a bank of other recordings or settings"):
        bank.begin(tmp_path, describe(seed=2))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_sound(tmp_path / "songs" / "a.wav", np.ones(1000))
    (tmp_path / "songs" / "licences.csv").write_text("name,licence\nalbum,CC0\n")
    return tmp_path / "songs"


def test_a_bank_knows_the_licences_of_its_music(music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is loaded from elsewhere, and the music is gone."""
    monkeypatch.chdir(tmp_path)
    bank.begin(tmp_path / "bank", bank.describe(CLIPS, CORE, Path("songs"), None, (), 1))
    bank.begin(tmp_path / "bank", bank.describe(CLIPS, CORE, music, None, (), 1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    music.rename(tmp_path / "moved")
    assert bank.songs(bank.read_manifest(tmp_path / "bank")) == (("album", "CC0"),)


def test_other_labels_of_a_recording_make_another_bank() -> None:
    changed = [clip("a", ["gac"], group="near"), *CLIPS[1:]]
    assert bank.describe(changed, CORE, None, None, (), 1).digest != describe().digest


def test_an_older_bank_is_heard_and_not_gone_on_with(music: Path, tmp_path: Path) -> None:
    """Its manifest names no generation: new windows would not be like those that are there. Nor does it name songs."""
    made = bank.describe(CLIPS, CORE, music, None, (), 1)
    older = msgspec.to_builtins(made)
    del older["generation"], older["songs"]
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(older))
    bank.keep(tmp_path, 0, shard_of([[0]]))
    assert len(bank.load([tmp_path], set(made.groups)).windows.kinds) == 1
    assert bank.songs(bank.read_manifest(tmp_path)) == (("album", "CC0"),)
    with pytest.raises(DataError, match="or of an older version; choose another folder"):
        bank.begin(tmp_path, made)


def test_an_older_bank_is_known_by_what_it_was(tmp_path: Path) -> None:
    """Otherwise no run that was cut off could be gone on with."""
    older = msgspec.to_builtins(describe())
    del older["generation"]
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(older))
    digest = hashlib.sha256(msgspec.json.encode(older)).hexdigest()[:16]
    assert bank.fingerprint(tmp_path) == f"{digest}-0"


def test_a_folder_without_a_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whoplays material"):
        bank.load([tmp_path], {"near"})


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    bank.begin(tmp_path, describe())
    bank.shard_path(tmp_path, 0).write_bytes(b"PK\x03\x04 not a shard")
    with pytest.raises(DataError, match=r"shard-00000.npz is damaged"):
        bank.load([tmp_path], {"near"})


def test_a_bank_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"manifest.json cannot be written: Not a directory"):
        bank.begin(tmp_path / "file" / "bank", describe())


def test_a_shard_survives_being_kept(tmp_path: Path) -> None:
    shard = bank.empty(3, len(CORE), 5)
    shard.log_power[:] = np.linspace(-18, 5, 3, dtype=np.float16)[:, None, None]
    bank.begin(tmp_path, describe())
    bank.keep(tmp_path, 0, shard)
    again = bank.load([tmp_path], set()).windows
    for name in Shard._fields:
        kept, made = np.asarray(getattr(again, name)), np.asarray(getattr(shard, name))
        assert kept.dtype == made.dtype
        np.testing.assert_array_equal(kept, made)
