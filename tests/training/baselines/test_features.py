"""Features that are kept: made again where they are damaged, or where what they are of has changed."""

import os
from pathlib import Path

import msgspec
import pytest
import torch

from tests.training.data.make_clips import clip
from tests.training.data.tiny_corpus import write_sound
from whoplays.training import recipes
from whoplays.training.baselines.features import CachedFeatures, cache_key, cached
from whoplays.training.data.clip import Segment
from whoplays.training.data.splits import Splits

FEATURES = CachedFeatures(torch.ones(2, 3), torch.zeros(2, 4))


def never() -> CachedFeatures:
    raise AssertionError("computed twice")


@pytest.mark.parametrize("length", [0, 1, 100, 700])
def test_what_is_damaged_is_made_again(tmp_path: Path, length: int) -> None:
    path = tmp_path / "run" / "features.pt"
    cached(path, "key", lambda: FEATURES)
    path.write_bytes(path.read_bytes()[:length])
    again = cached(path, "key", lambda: FEATURES)
    assert torch.equal(again.features, FEATURES.features)
    assert torch.equal(cached(path, "key", never).features, FEATURES.features)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("other", [[1, 2], {"key": "key"}, torch.ones(2)])
def test_what_holds_anything_else_is_made_again(tmp_path: Path, other: object) -> None:
    torch.save(other, tmp_path / "features.pt")
    assert torch.equal(cached(tmp_path / "features.pt", "key", lambda: FEATURES).features, FEATURES.features)


def test_another_key_is_computed_anew(tmp_path: Path) -> None:
    cached(tmp_path / "features.pt", "key", lambda: FEATURES)
    other = CachedFeatures(torch.zeros(1, 1), torch.zeros(1, 1))
    assert torch.equal(cached(tmp_path / "features.pt", "other", lambda: other).features, other.features)


def test_the_key_is_of_the_recordings_as_they_are(tmp_path: Path) -> None:
    """A recording that was replaced under its old name has other features."""
    path, base = tmp_path / "a.wav", tmp_path / "base.ckpt"
    base.write_bytes(b"a network")
    write_sound(path, torch.zeros(1000).numpy())
    splits = Splits([clip(str(path.with_suffix("")), ["piano"])], [], [])
    recipe = recipes.find("transfer-rawcnn")
    keys = [cache_key(recipe, splits, base), cache_key(recipe, splits, base)]
    os.utime(path, ns=(1, 1))
    keys.append(cache_key(recipe, splits, base))
    write_sound(path, torch.zeros(2000).numpy())
    os.utime(path, ns=(1, 1))
    keys.append(cache_key(recipe, splits, base))
    times = (Segment(start_s=0, end_s=1, labels=frozenset({"piano"})),)
    timed = [msgspec.structs.replace(one, timeline=times) for one in splits.train]
    keys.append(cache_key(recipe, splits._replace(train=timed), base))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
