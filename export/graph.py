"""Networks as ONNX: audio in, probabilities out, everything between inside one file."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import onnx
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from whoplays.models.errors import ModelError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.training.fit.tagger import Tagger

OPSET: Final = 18


def write_graph(tagger: Tagger, path: Path) -> None:
    """Write a network's graph: `audio float32 [batch, 2, 132300]` -> `probabilities float32 [batch, labels]`.

    The batch is free, weights are inside the file, and the metadata name the labels.

    Raises:
        ModelError: the exporter fixed the batch.
    """
    example = torch.randn(2, CHANNELS, WINDOW_SAMPLES)
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        for kind in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        # A GRU's flat list of its own weights.
        warnings.filterwarnings("ignore", "The tensor attributes .* were assigned during export")
        program = torch.onnx.export(
            torch.nn.Sequential(tagger.network, tagger.to_probabilities).eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["audio"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise ModelError("the exporter gave no graph")
    graph = program.model_proto
    _strip(graph)
    onnx.helper.set_model_props(graph, {"labels": " ".join(tagger.recipe.labels)})
    onnx.checker.check_model(graph, full_check=True)
    if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise ModelError("the exporter fixed the batch; the network must not depend on it")
    onnx.save(graph, path)


def count_macs(module: nn.Module) -> int:
    """Multiply-accumulate operations of convolutions and matrix products for one window `[1, 2, 132300]`."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(torch.zeros(1, CHANNELS, WINDOW_SAMPLES))
    return int(counter.get_total_flops()) // 2


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
