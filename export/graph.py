"""Networks as ONNX: audio in, probabilities out, everything between inside one file, and the proof that it agrees.

Parity: the graph under onnxruntime computes what the network computes under torch.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import ModelError
from whoplays.models.session import open_session
from whoplays.models.signal import CHANNELS, SPECTROGRAM_INPUT, SPECTROGRAM_SHAPE, WINDOW_SAMPLES
from whoplays.training.evaluate.calibration import Calibration
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.frame_tagger import FrameTagger
from whoplays.training.networks.mel_power import log_mel

OPSET: Final = 18
_COMPUTED: Final = "log_mel"
_JOINED: Final = "spectrograms_of_all"
_NONE: Final = "no_spectrograms"
_RANDOM_WINDOWS: Final = 4
_BATCH: Final = 4


class CalibrationLayer(nn.Module):
    """logits `[batch, labels]` -> scale * logits + bias, label by label; nothing in it learns."""

    scales: Tensor
    biases: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        self.register_buffer("scales", torch.tensor(calibration.scales, dtype=torch.float32))
        self.register_buffer("biases", torch.tensor(calibration.biases, dtype=torch.float32))

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrated logits."""
        return self.scales * logits + self.biases


class _WithFrames(nn.Module):
    """A frame tagger with everything that it can say of a window."""

    biases: Tensor

    def __init__(self, network: FrameTagger, to_probabilities: nn.Module, biases: Sequence[float]) -> None:
        super().__init__()
        self.network, self.to_probabilities = network, to_probabilities
        self.register_buffer("biases", torch.tensor(biases, dtype=torch.float32))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Probabilities of the window and of each step, the features that they follow from, and the spectrogram."""
        spectrogram = log_mel(self.network.power(audio))
        steps = self.network.embed(spectrogram)
        embedding = steps.mean(dim=1)
        frames = torch.sigmoid(self.network.frame_head(steps) + self.biases)
        probabilities: Tensor = self.to_probabilities(self.network.window_head(embedding))
        return probabilities, frames, embedding, spectrogram


class Parity(NamedTuple):
    """The largest differences of probabilities, on each kind of window."""

    random: float
    real: float

    @property
    def worst(self) -> float:
        """The larger of the two."""
        return max(self.random, self.real)


def calibrate(tagger: Tagger, calibration: Calibration) -> None:
    """Make a network give calibrated probabilities from now on."""
    # Not an assignment: the tagger declares the plain function that it learns with.
    tagger.add_module("to_probabilities", nn.Sequential(CalibrationLayer(calibration), tagger.to_probabilities))


def write_graph(tagger: Tagger, path: Path, frame_biases: Sequence[float] = (0.0,)) -> None:
    """Write a network's graph: `audio float32 [batch, 2, 132300]` -> `probabilities float32 [batch, labels]`.

    Of one with frames also `frames float32 [batch, steps, labels]`, probabilities within the window, and `embedding
    float32 [batch, features]`. The batch is free, weights are inside the file, and the metadata name the labels.

    Args:
        frame_biases: added to the logits of steps, `[labels]`, or one for all.

    Raises:
        ModelError: the exporter fixed the batch.
    """
    example = torch.randn(2, CHANNELS, WINDOW_SAMPLES)
    network, outputs = tagger.network, ["probabilities"]
    module: nn.Module = nn.Sequential(network, tagger.to_probabilities)
    if isinstance(network, FrameTagger):
        module, outputs = (
            _WithFrames(network, tagger.to_probabilities, frame_biases),
            ["probabilities", "frames", "embedding", _COMPUTED],
        )
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        for kind in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        # A GRU's flat list of its own weights.
        warnings.filterwarnings("ignore", "The tensor attributes .* were assigned during export")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["audio"],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise ModelError("the exporter gave no graph")
    graph = program.model_proto
    _strip(graph)
    if isinstance(network, FrameTagger):
        graph.graph.output.pop()
        accept_spectrograms(graph, _COMPUTED)
    onnx.helper.set_model_props(graph, {"labels": json.dumps(tagger.recipe.labels)})
    onnx.checker.check_model(graph, full_check=True)
    if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise ModelError("the exporter fixed the batch; the network must not depend on it")
    onnx.save(graph, path)


def accept_spectrograms(model: onnx.ModelProto, computed: str) -> None:
    """Let a graph take windows as spectrograms besides: an input that may be left out, joined to those of `audio`.

    Args:
        model: is changed.
        computed: the tensor `[batch, 298, 128]` that is computed of `audio`, and that alone is needed further on.
    """
    graph, helper = model.graph, onnx.helper
    nodes = list(graph.node)
    cut = next(place for place, node in enumerate(nodes) if computed in node.output) + 1
    for node in nodes[cut:]:
        node.input[:] = [_JOINED if name == computed else name for name in node.input]
    for name in (SPECTROGRAM_INPUT, _NONE):
        graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.FLOAT, [0, *SPECTROGRAM_SHAPE], []))
    graph.initializer.append(helper.make_tensor("no_batch", onnx.TensorProto.INT64, [1], [0]))
    graph.input.append(_spectrograms(SPECTROGRAM_INPUT, "spectrograms"))
    # Not all of its nodes can do with an empty batch.
    front_end = helper.make_graph(nodes[:cut], "front_end", [], [_spectrograms(computed)])
    nothing = helper.make_node("Identity", [_NONE], ["none_of_audio"])
    without = helper.make_graph([nothing], "without_audio", [], [_spectrograms("none_of_audio")])
    del graph.node[:]
    graph.node.extend(
        [
            helper.make_node("Shape", ["audio"], ["batch_of_audio"], start=0, end=1),
            helper.make_node("Greater", ["batch_of_audio", "no_batch"], ["any_audio"]),
            helper.make_node("If", ["any_audio"], ["of_audio"], then_branch=front_end, else_branch=without),
            helper.make_node("Concat", ["of_audio", SPECTROGRAM_INPUT], [_JOINED], axis=0),
            *nodes[cut:],
        ]
    )
    for output in graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "windows"
    # Inferred with the batch of audio alone.
    del graph.value_info[:]


def _spectrograms(name: str, batch: str | None = None) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [batch, *SPECTROGRAM_SHAPE])


def count_macs(module: nn.Module) -> int:
    """Multiply-accumulate operations of convolutions and matrix products for one window `[1, 2, 132300]`."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(torch.zeros(1, CHANNELS, WINDOW_SAMPLES))
    return int(counter.get_total_flops()) // 2


def prove(tagger: Tagger, graph: Path, real: NDArray[np.float32]) -> Parity:
    """Compare graph and network on noise and on real windows `float32 [windows, 2, 132300]`.

    Raises:
        ModelError: some probability differs by 1e-4 or more.
    """
    session, _ = open_session(graph, "cpu", threads=1)
    rng = np.random.default_rng(0)
    levels = np.logspace(-3, 0, _RANDOM_WINDOWS, dtype=np.float32)[:, None, None]
    noise = levels * rng.uniform(-1, 1, (_RANDOM_WINDOWS, CHANNELS, WINDOW_SAMPLES)).astype(np.float32)
    parity = Parity(_difference(tagger, session, noise), _difference(tagger, session, real))
    if parity.worst >= MAX_DIFFERENCE:
        raise ModelError(
            f"the graph must differ from the network by less than {MAX_DIFFERENCE}, got {parity.worst:.1e}"
        )
    return parity


def _strip(graph: onnx.ModelProto) -> None:
    """Take out where each node came from: paths and stack traces of the exporting machine."""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info, *graph.graph.initializer):
        del value.metadata_props[:]
    del graph.graph.metadata_props[:]


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a logger's warnings off the terminal: they speak of operators that no network here uses."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _difference(tagger: Tagger, session: Any, windows: NDArray[np.float32]) -> float:
    """The largest difference over batches of four and over each window alone."""
    worst = 0.0
    for size in (1, _BATCH):
        for start in range(0, len(windows), size):
            batch = windows[start : start + size]
            found = session.run(["probabilities"], {"audio": batch})[0]
            with torch.inference_mode():
                expected = tagger(torch.from_numpy(batch)).numpy()
            worst = max(worst, float(np.abs(found - expected).max()))
    return worst
