"""The part of YAMNet that is ours: what it is given, and what is made of its scores. The network itself is not here."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whoplays.models.errors import DataError
from whoplays.models.labels import KNOWN
from whoplays.training.taggers import yamnet as module

LIST = ["Speech", *(name for known in KNOWN for name in known.audioset)]


class Tape:
    """An interpreter that keeps what it is given, and scores the classes by frame."""

    def __init__(self, samples: int = 15_600) -> None:
        self.frames: list[np.ndarray] = []
        self._samples = samples

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "shape": np.array([self._samples])}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": 1}]

    def set_tensor(self, _index: int, audio: np.ndarray) -> None:
        self.frames.append(audio)

    def invoke(self) -> None:
        pass

    def get_tensor(self, _index: int) -> np.ndarray:
        """The n-th frame of a window scores its classes 0.1 n higher than the first."""
        return (np.arange(len(LIST)) / 100 + 0.1 * ((len(self.frames) - 1) % 5)).astype(np.float32)[None]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file with a list of classes at its end, as TFLite models carry theirs."""
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(b"TFL3, and then a network")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("yamnet_label_list.txt", "\n".join(LIST))
    return path


def test_frames_are_averaged_and_the_largest_class_counts(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape()
    monkeypatch.setattr(module, "open_interpreter", lambda *_: tape)
    tagger = module.yamnet(model)
    windows = np.stack([np.full((2, 132_300), level, np.float32) for level in (0.1, 0.2)])
    windows[:, 1] *= 3
    found = tagger.probabilities(windows)
    assert found.shape == (2, len(KNOWN))
    assert found.dtype == np.float32
    assert [len(frame) for frame in tape.frames] == [15_600] * 10
    np.testing.assert_allclose(tape.frames[2], 0.2, atol=1e-3)
    np.testing.assert_allclose(tape.frames[7], 0.4, atol=1e-3)
    largest = [max(LIST.index(name) for name in known.audioset) for known in KNOWN]
    np.testing.assert_allclose(found[0], np.array(largest) / 100 + 0.2, atol=1e-6)


def test_what_is_not_yamnet_is_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text").write_text("no model")
    for path in (tmp_path / "missing", tmp_path / "text"):
        with pytest.raises(DataError, match="is not YAMNet as TFLite"):
            module.yamnet(path)
    monkeypatch.setattr(module, "open_interpreter", lambda *_: Tape(samples=16_000))
    with pytest.raises(DataError, match="not 15600 samples"):
        module.yamnet(model)


def test_without_the_extra_it_says_which(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(DataError, match=r"ai-edge-litert is not installed.* '.\[peers\]'"):
        module.yamnet(model)
