"""What a measurement was made with: the command, the machine, the software, the model."""

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
SEED: Final = 0
"""Of whatever a measurement draws: noise, the order of turns, lost packets, resamples."""


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """The machine."""

    cpu: str
    cores: int
    """Logical ones."""
    memory_gib: float
    gpu: str | None
    """None where NVIDIA's tools show none."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, the software and the models of a measurement."""

    measured_at: str
    """Date and time in UTC, ISO 8601."""
    os: str
    hardware: Hardware
    load: float
    """Load average of the last minute, before the measurement: near 0 if the machine has nothing else to do."""
    load_after: float | None = None
    """The same after it, so its own part as well; None in results of version 0.1.0."""
    seed: int = SEED
    versions: dict[str, str]
    """Of Python and of each package in use."""
    commit: str | None = None
    """Of the git checkout that ran, with `-dirty` if it was changed since; None if it was no checkout."""
    model: ModelInfo
    others: tuple[ModelInfo, ...] = ()
    """Models that were measured with it."""
    provider: str
    """The onnxruntime provider that ran."""

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """All models that were measured."""
        return (self.model, *self.others)


def describe(conditions: Conditions) -> str:
    """The conditions in one line."""
    hardware = conditions.hardware
    gpu = f", {hardware.gpu}" if hardware.gpu else ""
    software = ", ".join(f"{name} {version}" for name, version in conditions.versions.items())
    software += f", commit {conditions.commit}" if conditions.commit else ""
    after = "" if conditions.load_after is None else f", {conditions.load_after:g} after"
    digests = " and ".join(model.sha256 for model in conditions.models)
    return (
        f"{hardware.cpu}, {hardware.cores} cores, {hardware.memory_gib:g} GiB{gpu}; {conditions.os}; {software}; "
        f"model sha256 {digests}; load {conditions.load:g} before{after}; {conditions.measured_at}"
    )


def command_line(verb: str, **options: str | float | None) -> str:
    """The command that measures, as a result keeps it.

    >>> command_line("soak", streams=32, minutes=10.0, provider=None)
    'whoplays bench soak --streams 32 --minutes 10'
    """
    words = (
        f" --{name.replace('_', '-')} {format(value, 'g') if isinstance(value, float) else value}"
        for name, value in options.items()
        if value is not None
    )
    return f"whoplays bench {verb}{''.join(words)}"


def model_info(card: ModelCard) -> ModelInfo:
    """A model's name, version and digest."""
    return ModelInfo(name=card.name, version=card.version, sha256=card.sha256[:12])


def current_conditions(model: ModelInfo, provider: str, load: float, others: Sequence[ModelInfo] = ()) -> Conditions:
    """The conditions on this machine, at the end of a measurement.

    Args:
        model: what was measured.
        provider: the onnxruntime provider that ran.
        load: `load_average()` before the measurement, which adds to it.
        others: models that were measured with it.
    """
    return Conditions(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        os=f"{platform.system()} {platform.machine()}",
        hardware=_hardware(),
        load=load,
        load_after=load_average(),
        versions={"python": platform.python_version(), **_installed()},
        commit=_commit(),
        model=model,
        others=tuple(others),
        provider=provider,
    )


def load_average() -> float:
    """Processes that run or wait to run, averaged over the last minute."""
    return round(os.getloadavg()[0], 2)


def _hardware() -> Hardware:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware(cpu=_cpu(), cores=os.cpu_count() or 1, memory_gib=round(memory / 2**30, 1), gpu=_gpu())


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.is_file() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _gpu() -> str | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  a fixed command
    return ", ".join(found.stdout.splitlines()) if found.returncode == 0 else None


def _commit() -> str | None:
    """The commit of the checkout in which this file is tracked."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def _git(*arguments: str) -> str | None:
    tool = shutil.which("git")
    if tool is None:
        return None
    command = [tool, "-C", str(Path(__file__).resolve().parent), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own arguments
    return found.stdout.strip() if found.returncode == 0 else None


def _installed() -> dict[str, str]:
    return {name: found.version for name in PACKAGES for found in metadata.distributions(name=name)}
