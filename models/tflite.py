"""TensorFlow Lite graphs: the only place that opens one, for taggers of others that are measured against."""

from pathlib import Path
from typing import Any

from whoplays.models.errors import DataError, install_hint


def open_interpreter(path: Path, threads: int = 1) -> Any:
    """The interpreter of a TFLite file, with its tensors allocated.

    Raises:
        DataError: the file is no such graph, or the extra `peers` is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an extra that few will have
    except ModuleNotFoundError as error:
        raise DataError(f"ai-edge-litert is not installed; TFLite files need it: {install_hint('peers')}") from error
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a TFLite graph: {' '.join(str(error).split())}") from error
    return interpreter
