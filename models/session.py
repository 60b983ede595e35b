"""Opens a graph on the onnxruntime provider that was asked for, and on no other."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from whoplays.models.errors import ModelError, ProviderError, install_hint

PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
SILENT: Final = 4
TELEMETRY_OFF: Final = "ORT_DISABLE_TELEMETRY"
"""Without it onnxruntime keeps a device id in the user's cache, and reports to its maker what it loads."""


def open_session(graph: Path, provider: str | None, threads: int) -> tuple[Any, str]:
    """An inference session, and the provider that it really runs on.

    Args:
        graph: an ONNX file.
        provider: `cpu` or `cuda`; unless given, CUDA if it is installed and runs, else the CPU.
        threads: threads within one operation. None of them spins while it waits.

    Raises:
        ProviderError: onnxruntime is not installed, or the provider cannot run here.
        ModelError: onnxruntime refuses the graph.
    """
    runtime = _import_runtime()
    if provider is None:
        with suppress(ProviderError):
            return _open(runtime, graph, "cuda", threads), "cuda"
    return _open(runtime, graph, provider or "cpu", threads), provider or "cpu"


def _import_runtime() -> ModuleType:
    os.environ.setdefault(TELEMETRY_OFF, "1")  # heeded at the import only: what onnxruntime offers later comes too late
    try:
        import onnxruntime  # noqa: PLC0415  `import whoplays` must stay quick, and work without it
    except ModuleNotFoundError as error:
        one_of = f"{install_hint('cpu')}, or {install_hint('gpu')} for CUDA"
        raise ProviderError(f"onnxruntime is not installed; install exactly one of the two: {one_of}") from error
    # What it would log on standard error is said by our own errors, in one line.
    onnxruntime.set_default_logger_severity(SILENT)
    runtime: ModuleType = onnxruntime
    return runtime


def _open(runtime: ModuleType, graph: Path, provider: str, threads: int) -> Any:
    _refuse_missing(runtime, provider)
    if provider == "cuda":
        # Finds the libraries that pip installed; what it prints about missing ones shows below, as CUDA will not run.
        with redirect_stdout(io.StringIO()):
            runtime.preload_dlls()
    session = _create(runtime, graph, provider, threads)
    if session.get_providers()[0] != PROVIDERS[provider]:
        raise ProviderError(
            f"{provider} is installed but does not run here; check its driver and libraries, or use cpu"
        )
    return session


def _refuse_missing(runtime: ModuleType, provider: str) -> None:
    if provider not in PROVIDERS:
        raise ProviderError(f"provider must be {' or '.join(PROVIDERS)}, got {provider!r}")
    if PROVIDERS[provider] not in runtime.get_available_providers():
        raise ProviderError(
            f"provider {provider} is not installed; it comes in place of the extra cpu with: {install_hint('gpu')}"
        )


def _create(runtime: ModuleType, graph: Path, provider: str, threads: int) -> Any:
    chain = list(dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"])))
    with one_line(str(graph), provider):
        return runtime.InferenceSession(graph, _options(runtime, threads), providers=chain, enable_fallback=0)


@contextmanager
def one_line(what: str, provider: str) -> Iterator[None]:
    """Let what onnxruntime raises be one of our errors, of one line.

    Args:
        what: names the model.
        provider: what it runs on.

    Raises:
        ProviderError: the provider fails.
        ModelError: onnxruntime refuses the model.
    """
    try:
        yield
    except (_state().EPFail, RuntimeError, ValueError) as error:
        raise ProviderError(f"{provider} cannot run here: {_joined(error)}") from error
    except _refusals() as error:
        raise ModelError(f"onnxruntime refuses {what}: {_joined(error)}") from error


def _refusals() -> tuple[type[Exception], ...]:
    """Every exception of onnxruntime's own: they share no base but `Exception`."""
    return tuple(kind for kind in vars(_state()).values() if isinstance(kind, type) and issubclass(kind, Exception))


def _state() -> Any:
    return _import_runtime().capi.onnxruntime_pybind11_state


def _options(runtime: ModuleType, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def run_options() -> Any:
    """Options of runs, which its `terminate` ends while they are under way."""
    options = _import_runtime().RunOptions()
    options.log_severity_level = SILENT
    return options


def _joined(error: Exception) -> str:
    return " ".join(str(error).split())
