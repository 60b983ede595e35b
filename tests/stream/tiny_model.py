"""A tiny real model: each label is heard in one channel or in the mean of both, by its power."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from whoplays.models.card import ModelCard, graph_digest, write_card
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES

LABELS = ("piano", "violin")
LOUD = 0.3
"""A sine of this amplitude in the left channel is a piano, in the right one a violin."""


def write_tiny_model(
    folder: Path, card_labels: tuple[str, ...] = LABELS, *, batch: int = 0, nan_above: float | None = None
) -> Path:
    """A folder with `model.onnx` and `card.json`.

    Args:
        folder: made if it is not there.
        card_labels: those of the card.
        batch: the graph says any, but runs on no other, if one is given.
        nan_above: a power from which on it returns NaN.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(batch, nan_above), folder / "model.onnx")
    card = ModelCard(
        name="tiny",
        version="0.1",
        sha256=graph_digest(folder / "model.onnx"),
        task="multi-label",
        labels=card_labels,
        thresholds=(0.5, 0.5),
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
    # probability = sigmoid(200 * (mean power - 0.02)): 0.3 ** 2 / 2 = 0.045 gives 0.993, silence gives 0.018.
    nodes = [
        # In a shape, 0 is the size that is there.
        helper.make_node("Reshape", ["audio", "shape"], ["heard"]),
        helper.make_node("Mul", ["heard", "heard"], ["squared"]),
        helper.make_node("ReduceMean", ["squared"], ["power"], axes=[2], keepdims=0),
        helper.make_node("Sub", ["power", "middle"], ["above"]),
        helper.make_node("Mul", ["above", "scale"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["likely"]),
        # Nothing, or not a number: the logarithm of a negative one.
        helper.make_node("Sub", ["limit", "power"], ["left"]),
        helper.make_node("Log", ["left"], ["fragile"]),
        helper.make_node("Mul", ["fragile", "nothing"], ["zero"]),
        helper.make_node("Add", ["likely", "zero"], ["probabilities"]),
    ]
    if nan_above is None:
        nodes[-5:] = [helper.make_node("Sigmoid", ["logits"], ["probabilities"])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", CHANNELS, WINDOW_SAMPLES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(np.array([batch, CHANNELS, WINDOW_SAMPLES], np.int64), "shape"),
            numpy_helper.from_array(np.array(0.02, np.float32), "middle"),
            numpy_helper.from_array(np.array(200.0, np.float32), "scale"),
            *(
                numpy_helper.from_array(np.array(value, np.float32), name)
                for name, value in {"limit": nan_above, "nothing": 0.0}.items()
                if nan_above is not None
            ),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"labels": " ".join(LABELS)})
    onnx.checker.check_model(model)
    return model
