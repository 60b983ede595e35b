"""The tiny model, made slow wherever the piano plays through most of a window."""

import time
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.stream.tiny_model import write_tiny_model
from whoplays.models.card import graph_digest, read_card, write_card

TRIAL: Final = 20_000
TRIALS: Final = 5


def write_slow_model(folder: Path, slow_s: float) -> Path:
    """A folder with it; the seconds are those of a processor with nothing else to do."""
    write_tiny_model(folder)
    card, model = read_card(folder), onnx.load(folder / "model.onnx")
    _slow_down(model.graph, rounds=round(TRIAL * slow_s / _trial_s()))
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    write_card(msgspec.structs.replace(card, sha256=graph_digest(folder / "model.onnx")), folder)
    return folder


def _slow_down(graph: onnx.GraphProto, rounds: int) -> None:
    """The last operation waits for a loop of no use, which goes round for each window with a piano."""
    graph.node.pop()
    graph.node.extend(
        [
            helper.make_node("Sigmoid", ["probabilities_logits"], ["likely"]),
            helper.make_node("Gather", ["likely", "left"], ["piano"], axis=1),
            helper.make_node("Round", ["piano"], ["loud"]),
            helper.make_node("ReduceSum", ["loud"], ["many"], keepdims=0),
            helper.make_node("Cast", ["many"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Mul", ["whole", "rounds"], ["turns"]),
            _loop("turns"),
            helper.make_node("Mul", ["spun", "nothing"], ["none"]),
            helper.make_node("Add", ["likely", "none"], ["probabilities"]),
        ]
    )
    values: dict[str, NDArray[Any]] = {
        "left": np.array(0, np.int64),
        "rounds": np.array(rounds, np.int64),
        "nothing": np.array(0, np.float32),
        **_LOOP_VALUES,
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())


_LOOP_VALUES: Final[dict[str, NDArray[Any]]] = {"on": np.array(True), "one": np.array(1, np.float32)}


def _loop(turns: str) -> onnx.NodeProto:
    body = helper.make_graph(
        [helper.make_node("Sin", ["x"], ["y"]), helper.make_node("Identity", ["go"], ["still"])],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, []),
        ],
    )
    return helper.make_node("Loop", [turns, "on", "one"], ["spun"], body=body)


def _trial_s() -> float:
    """How long a trial takes."""
    graph = helper.make_graph(
        [_loop("turns")],
        "trial",
        [helper.make_tensor_value_info("turns", TensorProto.INT64, [])],
        [helper.make_tensor_value_info("spun", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(value, name) for name, value in _LOOP_VALUES.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return min(_run_s(session) for _ in range(TRIALS))


def _run_s(session: onnxruntime.InferenceSession) -> float:
    """Of the processor, whatever else it does."""
    begun_s = time.process_time()
    session.run(None, {"turns": np.array(TRIAL, np.int64)})
    return time.process_time() - begun_s
