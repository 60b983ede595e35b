"""How to install what a part of whoplays needs, as the README says it."""

from typing import Final

INSTALL: Final = "pip install -c constraints.txt"
"""From the checkout, with the extras after it, such as `'.[cpu]'`."""
ONE_OF: Final = f"install exactly one of the two: {INSTALL} '.[cpu]', or '.[gpu]' for CUDA"
"""Either onnxruntime: they overwrite one another."""
