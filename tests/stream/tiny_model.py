"""A tiny real model: each label is heard in one channel, by its power."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from whoplays.models.card import Frames, ModelCard, graph_digest, write_card
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES

LABELS = ("piano", "violin")
LOUD = 0.3
"""A sine of this amplitude in the left channel is a piano, in the right one a violin."""
STEPS = Frames(step_samples=13_230, first_sample=0)
"""Ten in a window."""
FEATURES = CHANNELS


def write_tiny_model(
    folder: Path,
    card_labels: tuple[str, ...] = LABELS,
    *,
    batch: int = 0,
    nan_above: float | None = None,
    frames: Frames | None = None,
) -> Path:
    """A folder with `model.onnx` and `card.json`.

    Args:
        folder: made if it is not there.
        card_labels: those of the card.
        batch: the graph says any, but runs on no other, if one is given.
        nan_above: a power from which on it returns NaN, in the steps alone if it has some.
        frames: `STEPS`, maybe with other times, of a model that gives `frames` and `embedding` as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_framed_graph(batch, nan_above) if frames else _graph(batch, nan_above), folder / "model.onnx")
    card = ModelCard(
        name="tiny",
        version="0.1",
        sha256=graph_digest(folder / "model.onnx"),
        task="multi-label",
        labels=card_labels,
        thresholds=(0.5, 0.5),
        frames=frames,
        parameters=2,
        macs=2 * WINDOW_SAMPLES,
        opset=17,
        parity_max_abs=0.0,
        corpora=(),
        measurements=(),
    )
    write_card(card, folder)
    return folder


def _graph(batch: int, nan_above: float | None) -> onnx.ModelProto:
    nodes = [*_power(), *_likely("power", "probabilities", nan_above)]
    return _model(nodes, {"probabilities": [len(LABELS)]}, _values(batch, nan_above))


def _framed_graph(batch: int, nan_above: float | None) -> onnx.ModelProto:
    """The same of each step, and the power itself as features."""
    steps = WINDOW_SAMPLES // STEPS.step_samples
    nodes = [
        *_power(),
        *_likely("power", "probabilities", None),
        helper.make_node("Identity", ["power"], ["embedding"]),
        helper.make_node("Reshape", ["squared", "steps"], ["in_steps"]),
        helper.make_node("ReduceMean", ["in_steps"], ["step_power"], axes=[3], keepdims=0),
        helper.make_node("Transpose", ["step_power"], ["by_step"], perm=[0, 2, 1]),
        *_likely("by_step", "frames", nan_above),
    ]
    outputs = {"probabilities": [len(LABELS)], "frames": [steps, len(LABELS)], "embedding": [FEATURES]}
    shape = np.array([0, CHANNELS, steps, STEPS.step_samples], np.int64)
    return _model(nodes, outputs, _values(batch, nan_above) | {"steps": shape})


def _power() -> list[onnx.NodeProto]:
    return [
        # In a shape, 0 is the size that is there.
        helper.make_node("Reshape", ["audio", "shape"], ["heard"]),
        helper.make_node("Mul", ["heard", "heard"], ["squared"]),
        helper.make_node("ReduceMean", ["squared"], ["power"], axes=[2], keepdims=0),
    ]


def _likely(power: str, output: str, nan_above: float | None) -> list[onnx.NodeProto]:
    """Sigmoid of 200 * (mean power - 0.02): 0.3 ** 2 / 2 = 0.045 gives 0.993, silence gives 0.018."""
    above, logits, likely, left, fragile, zero = (
        f"{output}_{word}" for word in ("above", "logits", "likely", "left", "fragile", "zero")
    )
    nodes = [
        helper.make_node("Sub", [power, "middle"], [above]),
        helper.make_node("Mul", [above, "scale"], [logits]),
    ]
    if nan_above is None:
        return [*nodes, helper.make_node("Sigmoid", [logits], [output])]
    # Nothing, or not a number: the logarithm of a negative one.
    return [
        *nodes,
        helper.make_node("Sigmoid", [logits], [likely]),
        helper.make_node("Sub", ["limit", power], [left]),
        helper.make_node("Log", [left], [fragile]),
        helper.make_node("Mul", [fragile, "nothing"], [zero]),
        helper.make_node("Add", [likely, zero], [output]),
    ]


def _values(batch: int, nan_above: float | None) -> dict[str, NDArray[Any]]:
    numbers = {"middle": 0.02, "scale": 200.0} | ({} if nan_above is None else {"limit": nan_above, "nothing": 0.0})
    return {
        "shape": np.array([batch, CHANNELS, WINDOW_SAMPLES], np.int64),
        **{name: np.array(value, np.float32) for name, value in numbers.items()},
    }


def _model(
    nodes: list[onnx.NodeProto], outputs: dict[str, list[int]], values: dict[str, NDArray[Any]]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", CHANNELS, WINDOW_SAMPLES])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"labels": " ".join(LABELS)})
    onnx.checker.check_model(model)
    return model
