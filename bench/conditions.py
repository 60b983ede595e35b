"""What a measurement was made on: the machine, the software, the model."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from whoplays.models.card import ModelCard
from whoplays.stream.pubsub.messages import ModelInfo

PACKAGES: Final = ("whoplays", "onnxruntime", "onnxruntime-gpu", "numpy", "pyzmq")


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """The machine."""

    cpu: str
    cores: int
    """Logical ones."""
    memory_gib: float
    gpu: str | None
    """None where NVIDIA's tools show none."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement was made on."""

    measured_at: str
    """Date and time in UTC, ISO 8601."""
    os: str
    hardware: Hardware
    load: float
    """Processes that wanted to run, averaged over the last minute: near 0 before a fair measurement begins."""
    versions: dict[str, str]
    """Of Python and of each package that takes part."""
    model: ModelInfo
    others: tuple[ModelInfo, ...] = ()
    """Models that took part beside it."""
    provider: str
    """The onnxruntime provider that really ran."""

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """All that took part."""
        return (self.model, *self.others)


def identify(card: ModelCard) -> ModelInfo:
    """What a result says of a model."""
    return ModelInfo(name=card.name, version=card.version, sha256=card.sha256[:12])


def observe(model: ModelInfo, provider: str, load: float, others: Sequence[ModelInfo] = ()) -> Conditions:
    """The conditions on this machine, now.

    Args:
        model: what was measured.
        provider: the one that really ran.
        load: `load_now()` before the measurement, which adds to it.
        others: what else took part.
    """
    return Conditions(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        os=f"{platform.system()} {platform.machine()}",
        hardware=_hardware(),
        load=load,
        versions={"python": platform.python_version(), **_installed()},
        model=model,
        others=tuple(others),
        provider=provider,
    )


def load_now() -> float:
    """Processes that wanted to run, averaged over the last minute."""
    return round(os.getloadavg()[0], 2)


def _hardware() -> Hardware:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware(cpu=_cpu(), cores=os.cpu_count() or 1, memory_gib=round(memory / 2**30, 1), gpu=_gpu())


def _cpu() -> str:
    facts = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", facts.read_text(), re.MULTILINE) if facts.is_file() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _gpu() -> str | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  a fixed command
    return ", ".join(shown.stdout.split("\n")).strip(", ") if shown.returncode == 0 else None


def _installed() -> dict[str, str]:
    return {name: found.version for name in PACKAGES for found in metadata.distributions(name=name)}
