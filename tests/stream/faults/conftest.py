"""What scripts and accounts assert is shown as what tests assert."""

import pytest

pytest.register_assert_rewrite(
    *(f"tests.stream.faults.{name}" for name in ("account", "on_daemon", "on_network", "on_rtp"))
)
