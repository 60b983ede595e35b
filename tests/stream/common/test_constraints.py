"""Constraints of numbers: what is refused is worded by what is allowed."""

from typing import Annotated

import msgspec
import pytest

from whoplays.models.errors import OptionError
from whoplays.stream.common.constraints import require


def test_a_number_in_quotes_is_said_to_be_in_quotes() -> None:
    kind = Annotated[float, msgspec.Meta(ge=0.5, le=3)]
    with pytest.raises(OptionError, match=r"hop must be between 0\.5 and 3, got '1', in quotes; leave them out"):
        require("hop", "1", kind)
    with pytest.raises(OptionError, match=r"got '9'$"):
        require("hop", "9", kind)
