"""Features that are kept: made again where they are damaged, or where what they are of has changed."""

import os
from pathlib import Path

import msgspec
import pytest
import torch

from tests.training.data.make_clips import clip
from tests.training.data.tiny_corpus import write_sound
from whoplays.training import recipe as recipes
from whoplays.training.baselines.features import Heard, kept, key_of
from whoplays.training.data.clip import Stretch
from whoplays.training.data.splits import Splits

HEARD = Heard(torch.ones(2, 3), torch.zeros(2, 4))


def never() -> Heard:
    raise AssertionError("heard twice")


@pytest.mark.parametrize("length", [0, 1, 100, 700])
def test_what_is_damaged_is_made_again(tmp_path: Path, length: int) -> None:
    path = tmp_path / "run" / "features.pt"
    kept(path, "key", lambda: HEARD)
    path.write_bytes(path.read_bytes()[:length])
    again = kept(path, "key", lambda: HEARD)
    assert torch.equal(again.features, HEARD.features)
    assert torch.equal(kept(path, "key", never).features, HEARD.features)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("other", [[1, 2], {"key": "key"}, torch.ones(2)])
def test_what_holds_anything_else_is_made_again(tmp_path: Path, other: object) -> None:
    torch.save(other, tmp_path / "features.pt")
    assert torch.equal(kept(tmp_path / "features.pt", "key", lambda: HEARD).features, HEARD.features)


def test_another_key_is_heard_anew(tmp_path: Path) -> None:
    kept(tmp_path / "features.pt", "key", lambda: HEARD)
    other = Heard(torch.zeros(1, 1), torch.zeros(1, 1))
    assert torch.equal(kept(tmp_path / "features.pt", "other", lambda: other).features, other.features)


def test_the_key_is_of_the_recordings_as_they_are(tmp_path: Path) -> None:
    """A recording that was replaced under its old name has other features."""
    path, base = tmp_path / "a.wav", tmp_path / "base.ckpt"
    base.write_bytes(b"a network")
    write_sound(path, torch.zeros(1000).numpy())
    splits = Splits([clip(str(path.with_suffix("")), ["pia"])], [], [])
    recipe = recipes.find("transfer-melcnn")
    keys = [key_of(recipe, splits, base), key_of(recipe, splits, base)]
    os.utime(path, ns=(1, 1))
    keys.append(key_of(recipe, splits, base))
    write_sound(path, torch.zeros(2000).numpy())
    os.utime(path, ns=(1, 1))
    keys.append(key_of(recipe, splits, base))
    times = (Stretch(start_s=0, end_s=1, labels=frozenset({"pia"})),)
    timed = [msgspec.structs.replace(one, timeline=times) for one in splits.train]
    keys.append(key_of(recipe, splits._replace(train=timed), base))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
