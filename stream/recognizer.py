"""Running a model's graph on windows."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from models import catalogue
from models.card import GraphFacts, ModelCard, check_graph
from models.errors import ModelError, OptionError, ProviderError, SourceError

PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
LARGEST_BATCH: Final = 16

Windows = npt.NDArray[np.float32]


class Recognizer:
    """A loaded model: windows of audio in, probabilities out. Make one with `Recognizer.load`."""

    def __init__(self, session: Any, card: ModelCard, provider: str) -> None:
        self.card: Final = card
        self.provider: Final = provider
        """The provider that really runs, such as `cpu` or `cuda`."""
        self.labels: Final = card.names
        """English names, in output order."""
        self.thresholds: Final = card.thresholds
        """Per label, in output order: at or above it the label is active."""
        self.warmed: tuple[int, ...] = ()
        """The batch sizes that have run already, ascending."""
        self._session = session

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
            provider: `cpu`, `cuda`, … and no other; unless given, CUDA if it is installed and runs, else the CPU.
            batches: batch sizes to warm; unless given, 1 on the CPU, and powers of two up to 16 elsewhere.
            threads: threads within one operation.

        Raises:
            ModelError: there is no such model, or its card and graph disagree.
            ProviderError: onnxruntime is not installed, or the provider cannot run here.
            OptionError: a batch size or the number of threads is less than 1.
        """
        if threads < 1 or min(batches or (1,)) < 1:
            raise OptionError("threads and batch sizes must be 1 or more")
        graph, card = catalogue.find(str(name_or_path))
        runtime = _import_runtime()
        session, running = _open_session(runtime, graph, card, provider, threads)
        check_graph(card, _facts(session))
        recognizer = cls(session, card, running)
        recognizer._warm(batches or _default_batches(running))
        return recognizer

    def recognize(self, windows: Windows) -> npt.NDArray[np.float32]:
        """The probability of each label in each window.

        Args:
            windows: `[n, 2, 132300]` float32 in [-1, 1], any n from 1.

        Returns:
            `[n, labels]` float32 in [0, 1].

        Raises:
            SourceError: the windows have another shape or type.
        """
        wanted = (self.card.channels, self.card.window_samples)
        if windows.ndim != 3 or windows.shape[1:] != wanted or windows.dtype != np.float32 or not len(windows):
            found = f"{windows.dtype} {list(windows.shape)}"
            raise SourceError(f"windows must be float32 [n, {wanted[0]}, {wanted[1]}] with n from 1, not {found}")
        probabilities: npt.NDArray[np.float32] = self._session.run(["probabilities"], {"audio": windows})[0]
        return probabilities

    def _warm(self, batches: Sequence[int]) -> None:
        for batch in sorted(set(batches)):
            self.recognize(np.zeros((batch, self.card.channels, self.card.window_samples), np.float32))
        self.warmed = tuple(sorted(set(batches)))


def _default_batches(provider: str) -> Sequence[int]:
    if provider == "cpu":
        return (1,)
    return tuple(2**power for power in range(LARGEST_BATCH.bit_length()))


def _import_runtime() -> ModuleType:
    try:
        import onnxruntime  # noqa: PLC0415  `import whoplays` must stay quick, and work without it
    except ModuleNotFoundError as error:
        hint = "pip install 'whoplays[cpu]', or 'whoplays[gpu]' for NVIDIA GPUs"
        raise ProviderError(f"onnxruntime is not installed; install one of: {hint}") from error
    runtime: ModuleType = onnxruntime
    return runtime


def _open_session(
    runtime: ModuleType, graph: Path, card: ModelCard, provider: str | None, threads: int
) -> tuple[Any, str]:
    """A session, and the provider that it really runs on."""
    if provider is None and PROVIDERS["cuda"] in runtime.get_available_providers():
        session = _create(runtime, graph, card, PROVIDERS["cuda"], threads)
        return session, _running(session)
    wanted = _full_name(runtime, provider or "cpu")
    session = _create(runtime, graph, card, wanted, threads)
    if _running(session) != (provider or "cpu"):
        raise ProviderError(f"{provider} is installed but cannot run here; check its driver and libraries, or use cpu")
    return session, _running(session)


def _full_name(runtime: ModuleType, provider: str) -> str:
    if provider not in PROVIDERS:
        raise ProviderError(f"unknown provider {provider!r}; known are {', '.join(PROVIDERS)}")
    available = runtime.get_available_providers()
    if PROVIDERS[provider] not in available:
        here = ", ".join(short for short, full in PROVIDERS.items() if full in available)
        raise ProviderError(
            f"provider {provider} is not installed (here: {here}); for cuda: pip install 'whoplays[gpu]'"
        )
    return PROVIDERS[provider]


def _create(runtime: ModuleType, graph: Path, card: ModelCard, provider: str, threads: int) -> Any:
    state = runtime.capi.onnxruntime_pybind11_state
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(graph, options, providers=list({provider: None, PROVIDERS["cpu"]: None}))
    except (
        state.Fail,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    ) as error:
        raise ModelError(f"model {card.name}: onnxruntime refuses its graph: {' '.join(str(error).split())}") from error


def _running(session: Any) -> str:
    full = session.get_providers()[0]
    return next((short for short, name in PROVIDERS.items() if name == full), full)


def _facts(session: Any) -> GraphFacts:
    return GraphFacts(
        inputs={value.name: tuple(value.shape) for value in session.get_inputs()},
        outputs={value.name: tuple(value.shape) for value in session.get_outputs()},
        labels=tuple(session.get_modelmeta().custom_metadata_map.get("labels", "").split()),
    )
