"""Running a model's graph on windows."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from whoplays.models import catalogue
from whoplays.models.card import GraphFacts, ModelCard, check_graph
from whoplays.models.errors import ModelError, OptionError, SourceError
from whoplays.models.labels import to_names
from whoplays.models.session import one_line, open_session, run_options
from whoplays.models.signal import SPECTROGRAM_INPUT, SPECTROGRAM_SHAPE

LARGEST_BATCH: Final = 16

Windows = npt.NDArray[np.float32]


class Recognition(NamedTuple):
    """What a model makes of windows."""

    probabilities: npt.NDArray[np.float32]
    """`[n, labels]` in [0, 1]."""
    frames: npt.NDArray[np.float32] | None
    """`[n, steps, labels]` in [0, 1], the same within each window; None of a model that gives none."""


class Recognizer:
    """A loaded model: windows of audio in, probabilities out. Make one with `Recognizer.load`."""

    def __init__(self, session: Any, card: ModelCard, provider: str) -> None:
        self.card: Final = card
        self.provider: Final = provider
        """The provider that really runs: `cpu` or `cuda`."""
        self.labels: Final = card.labels
        """English names, in output order."""
        self.thresholds: Final = card.thresholds
        """Per label, in output order: at or above it the label is active."""
        self.warmed: tuple[int, ...] = ()
        """The batch sizes that have run already, ascending."""
        self._session = session
        self.takes_spectrograms: Final = card.spectrogram is not None and provider == "cpu"
        """Whether `infer` takes spectrograms as well; on a GPU they are better computed there."""
        self._audio_shape: Final = (card.channels, card.window_samples)
        self._outputs: Final = frozenset(value.name for value in session.get_outputs())
        self._run_options: Final = run_options()

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "default",
        provider: str | None = None,
        *,
        batches: Sequence[int] | None = None,
        threads: int = 1,
    ) -> Self:
        """Load a model and run it once at each batch size, so that the first real window is not the slowest.

        Args:
            name_or_path: `default`, a name from the catalogue, or a folder with `model.onnx` and `card.json`.
            provider: `cpu` or `cuda`, and no other; unless given, CUDA if it is installed and runs, else the CPU.
            batches: batch sizes to warm; unless given, 1 on the CPU, and powers of two up to 16 elsewhere.
            threads: threads within one operation.

        Raises:
            ModelError: there is no such model, its card and graph disagree, or its graph does not run.
            ProviderError: onnxruntime is not installed, or the provider cannot run here.
            OptionError: a batch size or the number of threads is less than 1.
        """
        if threads < 1 or min(batches or (1,)) < 1:
            raise OptionError("threads and batch sizes must be 1 or more")
        graph, card = catalogue.find(str(name_or_path))
        session, running = open_session(graph, provider, threads)
        check_graph(card, _facts(session))
        recognizer = cls(session, card, running)
        recognizer._warm(batches or _default_batches(running))
        return recognizer

    def recognize(self, windows: Windows) -> npt.NDArray[np.float32]:
        """The probability of each label in each window, `[n, labels]` float32 in [0, 1]; see `infer`."""
        return self.infer(windows).probabilities

    def embed(self, windows: Windows) -> npt.NDArray[np.float32]:
        """The features of each window that its probabilities follow from, `[n, features]` float32.

        To build on: a classifier of one's own, or a search for windows that sound alike. See `infer`.

        Raises:
            ModelError: the model does not give any.
        """
        if "embedding" not in self._outputs:
            raise ModelError(f"model {self.card.name} gives no embedding; export it again, or use another")
        return self._run(windows, ["embedding"])[0]

    def infer(self, windows: Windows) -> Recognition:
        """What the model makes of each window.

        Args:
            windows: float32, any n from 1: `[n, 2, 132300]` in [-1, 1], or `[n, 298, 128]`, their spectrograms
                (`whoplays.models.spectrogram`), if it takes these.

        Raises:
            SourceError: the windows have another shape or type, or hold what is no number.
            ModelError: the graph fails on them, or returns what is no number.
            ProviderError: the provider fails.
        """
        probabilities, *frames = self._run(windows, ["probabilities", "frames"][: 2 if self.card.frames else 1])
        return Recognition(probabilities, frames[0] if frames else None)

    def _run(self, windows: Windows, outputs: list[str]) -> list[npt.NDArray[np.float32]]:
        self._check(windows)
        with one_line(f"model {self.card.name}", self.provider):
            found: list[npt.NDArray[np.float32]] = self._session.run(outputs, self._inputs(windows), self._run_options)
        if not all(np.isfinite(each).all() for each in found):
            raise ModelError(f"model {self.card.name} returned NaN or infinity; give it samples in [-1, 1]")
        return found

    def abort(self, *, aborted: bool = True) -> None:
        """Let `recognize` fail with a ModelError, also where it is under way, until that is taken back.

        From any thread.
        """
        self._run_options.terminate = aborted

    def _inputs(self, windows: Windows) -> dict[str, Windows]:
        if windows.shape[1:] == SPECTROGRAM_SHAPE:
            # Of the others there are none.
            return {"audio": np.empty((0, *self._audio_shape), np.float32), SPECTROGRAM_INPUT: windows}
        return {"audio": windows}

    def _check(self, windows: Windows) -> None:
        wanted = self._audio_shape
        form = f"windows must be float32 [n, {wanted[0]}, {wanted[1]}] with n from 1"
        if not isinstance(windows, np.ndarray):
            raise SourceError(f"{form}, not {type(windows).__name__}")
        if self.takes_spectrograms and windows.shape[1:] == SPECTROGRAM_SHAPE:
            wanted = SPECTROGRAM_SHAPE
        if windows.ndim != 3 or windows.shape[1:] != wanted or windows.dtype != np.float32 or not len(windows):
            raise SourceError(f"{form}, not {windows.dtype} {list(windows.shape)}")
        # Twice as quick as to look at each: whatever is no number is the largest or the smallest.
        if not (np.isfinite(windows.max()) and np.isfinite(windows.min())):
            raise SourceError("windows must hold numbers in [-1, 1], got NaN or infinity")

    def _warm(self, batches: Sequence[int]) -> None:
        shapes = (self._audio_shape, SPECTROGRAM_SHAPE) if self.takes_spectrograms else (self._audio_shape,)
        for batch, shape in product(sorted(set(batches)), shapes):
            self.recognize(np.zeros((batch, *shape), np.float32))
        self.warmed = tuple(sorted(set(batches)))


def _default_batches(provider: str) -> Sequence[int]:
    if provider == "cpu":
        return (1,)
    return tuple(2**power for power in range(LARGEST_BATCH.bit_length()))


def _facts(session: Any) -> GraphFacts:
    return GraphFacts(
        inputs={value.name: tuple(value.shape) for value in session.get_inputs()},
        optional={value.name: tuple(value.shape) for value in session.get_overridable_initializers()},
        outputs={value.name: tuple(value.shape) for value in session.get_outputs()},
        types={value.name: value.type for value in (*session.get_inputs(), *session.get_outputs())},
        labels=_labels(session.get_modelmeta().custom_metadata_map.get("labels", "")),
    )


def _labels(metadata: str) -> tuple[str, ...]:
    """A graph's labels: a list as JSON; in the oldest graphs codes of IRMAS with spaces between them."""
    return to_names(msgspec.json.decode(metadata, type=list[str]) if metadata.startswith("[") else metadata.split())
