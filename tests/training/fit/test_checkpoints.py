from pathlib import Path

import pytest
import torch

from whoplays.models.errors import DataError
from whoplays.training import recipe as recipes
from whoplays.training.fit.checkpoints import keep_checkpoint, load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.run import RunFolder


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.ckpt cannot be used"):
        load(recipes.find("band-melcnn"), path)


def test_of_a_checkpoint_cut_short_one_sentence_is_told(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"stray": torch.zeros(1000)}}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError) as refusal:
        load(recipes.find("band-melcnn"), path)
    told = "PytorchStreamReader failed reading zip archive: failed finding central directory"
    assert str(refusal.value) == f"{path} cannot be used ({told}); train the run again"


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"stray": torch.zeros(1)}}, path)
    with pytest.raises(DataError, match=r"last\.ckpt cannot be used"):
        load(recipes.find("band-melcnn"), path)


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(DataError, match=r"last\.ckpt cannot be written: .*directory"):
        keep_checkpoint(Tagger(recipes.find("duo-rawcnn")), RunFolder(tmp_path / "run"))
