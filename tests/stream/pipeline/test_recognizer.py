import sys
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from tests.stream.conftest import make_concert
from tests.stream.tiny_model import FEATURES, LOUD, write_tiny_model
from whoplays.models.card import ModelCard, graph_digest, write_card
from whoplays.models.errors import ModelError, OptionError, ProviderError, SourceError
from whoplays.models.session import open_session
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.pipeline.recognizer import Recognizer


def test_it_says_what_it_is(recognizer: Recognizer) -> None:
    assert recognizer.labels == ("piano", "violin")
    assert recognizer.thresholds == (0.5, 0.5)
    assert recognizer.provider == "cpu"
    assert recognizer.card.name == "tiny"
    assert recognizer.warmed == (1,)


def test_without_a_wish_it_runs_somewhere_and_says_where(model: Path) -> None:
    assert Recognizer.load(model).provider in {"cpu", "cuda"}


def test_it_hears_who_plays(recognizer: Recognizer) -> None:
    windows = make_concert(44_100).T.reshape(2, 4, WINDOW_SAMPLES).swapaxes(0, 1)
    probabilities = recognizer.recognize(np.ascontiguousarray(windows))
    assert probabilities.dtype == np.float32
    assert (probabilities > 0.5).tolist() == [[True, False], [True, True], [False, True], [False, False]]


def test_features_are_those_that_the_model_gives(framed: Recognizer) -> None:
    windows = np.ascontiguousarray(make_concert(44_100).T.reshape(2, 4, WINDOW_SAMPLES).swapaxes(0, 1))
    features = framed.embed(windows)
    assert features.dtype == np.float32
    assert features.shape == (4, FEATURES)
    np.testing.assert_allclose(features, np.square(windows).mean(axis=2), atol=1e-6)


def test_features_are_refused_of_a_model_that_gives_none_and_of_anything_but_windows(
    framed: Recognizer, recognizer: Recognizer
) -> None:
    with pytest.raises(ModelError, match="model tiny gives no embedding"):
        recognizer.embed(np.zeros((1, 2, WINDOW_SAMPLES), np.float32))
    with pytest.raises(SourceError, match=r"windows must be float32 \[n, 2, 132300\]"):
        framed.embed(np.zeros((1, 2, 100), np.float32))


def test_it_tells_what_is_within_the_windows(framed: Recognizer, recognizer: Recognizer) -> None:
    windows = np.zeros((2, 2, WINDOW_SAMPLES), np.float32)
    windows[1, 0, WINDOW_SAMPLES // 2 :] = LOUD / np.sqrt(2)
    found = framed.infer(windows)
    assert found.frames is not None
    assert (found.frames > 0.5)[:, :, 0].tolist() == [10 * [False], 5 * [False] + 5 * [True]]
    assert recognizer.infer(windows).frames is None


@pytest.mark.parametrize(
    "windows",
    [
        np.zeros((1, 2, WINDOW_SAMPLES - 1), np.float32),
        np.zeros((1, 1, WINDOW_SAMPLES), np.float32),
        np.zeros((2, WINDOW_SAMPLES), np.float32),
        np.zeros((0, 2, WINDOW_SAMPLES), np.float32),
        np.zeros((1, 2, WINDOW_SAMPLES), np.float64),
        [[[0.0] * 10] * 2],
        None,
    ],
)
def test_anything_but_windows_is_refused(recognizer: Recognizer, windows: np.ndarray) -> None:
    with pytest.raises(SourceError, match=r"windows must be float32 \[n, 2, 132300\]"):
        recognizer.recognize(windows)


def test_every_batch_size_is_warmed(model: Path) -> None:
    assert Recognizer.load(model, "cpu", batches=(4, 1, 2)).warmed == (1, 2, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_windows_with_what_is_no_number_are_refused(recognizer: Recognizer, value: float) -> None:
    windows = np.zeros((2, 2, WINDOW_SAMPLES), np.float32)
    windows[1, 1, 7] = value
    with pytest.raises(SourceError, match=r"windows must hold numbers in \[-1, 1\], got NaN or infinity"):
        recognizer.recognize(windows)


def test_what_a_model_returns_is_in_range_or_an_error(tmp_path: Path) -> None:
    recognizer = Recognizer.load(write_tiny_model(tmp_path, nan_above=0.1), "cpu")
    with pytest.raises(ModelError, match="returned NaN or infinity"):
        recognizer.recognize(np.full((1, 2, WINDOW_SAMPLES), 0.9, np.float32))


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is installed here")
def test_a_provider_that_is_not_installed_is_refused(model: Path) -> None:
    with pytest.raises(
        ProviderError,
        match=r"cuda is not installed; .* in place of the extra cpu with: pip install -c constraints\.txt '\.\[gpu\]'",
    ):
        Recognizer.load(model, "cuda")


def test_an_unknown_provider_is_refused(model: Path) -> None:
    with pytest.raises(ProviderError, match="provider must be cpu or cuda, got 'abacus'"):
        Recognizer.load(model, "abacus")


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is installed here")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_run_is_never_replaced_in_silence(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.raises(ProviderError, match="cuda is installed but does not run here"):
        Recognizer.load(model, "cuda")
    assert Recognizer.load(model).provider == "cpu"


def test_a_missing_runtime_is_named_in_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ProviderError, match=r"exactly one .*: pip install -c constraints\.txt '\.\[cpu\]', or .*'\.\[gpu\]'"
    ):
        Recognizer.load(model)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="model 'nobody' not found"):
        Recognizer.load("nobody")


def test_a_card_of_other_labels_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "swapped", card_labels=("violin", "piano"))
    with pytest.raises(ModelError, match="its card says labels violin, piano, its graph says piano, violin"):
        Recognizer.load(folder)


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "broken")
    (folder / "model.onnx").write_bytes(b"no graph")
    card = msgspec.structs.replace(
        msgspec.json.decode((folder / "card.json").read_bytes(), type=ModelCard),
        sha256=graph_digest(folder / "model.onnx"),
    )
    write_card(card, folder)
    with pytest.raises(ModelError, match="onnxruntime refuses"):
        Recognizer.load(folder)


def test_a_graph_that_does_not_run_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "single", batch=1)
    assert Recognizer.load(folder, "cpu").warmed == (1,)
    with pytest.raises(ModelError, match=r"^onnxruntime refuses model tiny: ") as refused:
        Recognizer.load(folder, "cpu", batches=(1, 2))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("EPFail", ProviderError),
        ("InvalidArgument", ModelError),
        ("NoModel", ModelError),
        ("NotFound", ModelError),
        ("RuntimeException", ModelError),
    ],
)
def test_whatever_the_runtime_raises_is_one_line(
    model: Path, monkeypatch: pytest.MonkeyPatch, kind: str, error: type[Exception]
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise getattr(onnxruntime.capi.onnxruntime_pybind11_state, kind)("it\nfailed")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(error, match=r"it failed$"):
        Recognizer.load(model, "cpu")


def test_a_graph_that_has_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"onnxruntime refuses .*missing\.onnx"):
        open_session(tmp_path / "missing.onnx", "cpu", 1)


@pytest.mark.parametrize("options", [{"threads": 0}, {"batches": (0,)}])
def test_impossible_options_are_refused(model: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="1 or more"):
        Recognizer.load(model, **options)  # type: ignore[arg-type]
