"""What values a type with `msgspec.Meta` allows: checked, and described in one form.

The range of a number is declared once, on its type, with its unit in `extra`:
`Annotated[float, Meta(ge=-60, le=60, extra={"unit": "dB"})]`. msgspec checks it in what it decodes; these functions
check what is given in Python, and word what is refused.
"""

import reprlib
from numbers import Real
from typing import Annotated, Any, Final, get_origin

import msgspec
from msgspec import inspect

from whoplays.models.errors import OptionError, plain

_KINDS: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.DictType: "a table in { }",
    inspect.StrType: "text in quotes",
}


def require(what: str, value: object, kind: Any) -> None:
    """Refuse a value that an annotated type does not allow.

    >>> require("hop", 5, Annotated[float, msgspec.Meta(ge=0.5, le=3, extra={"unit": "s"})])
    Traceback (most recent call last):
    ...
    whoplays.models.errors.OptionError: hop must be between 0.5 and 3 s, got 5

    Raises:
        OptionError: see above.
    """
    # NumPy's floats are numbers too.
    given = float(value) if isinstance(value, Real) and not isinstance(value, int) else value
    try:
        msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        quoted = ", in quotes; leave them out" if isinstance(given, str) and _is_quoted(given, kind) else ""
        raise OptionError(f"{what} must be {expected(kind)}, got {shown(given)}{quoted}") from error


def _is_quoted(text: str, kind: Any) -> bool:
    """Whether a number or the like would be allowed if it were not text."""
    try:
        msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return False
    return True


def require_fields(struct: msgspec.Struct) -> None:
    """Refuse values that the annotated types of a struct's fields do not allow; for `__post_init__`.

    Raises:
        OptionError: see above.
    """
    for field in msgspec.structs.fields(struct):
        if get_origin(field.type) is Annotated:
            require(field.name, getattr(struct, field.name), field.type)


def expected(kind: Any) -> str:
    """What an annotated type allows, as it stands after "must be".

    >>> expected(dict[str, int])
    'a table in { }'
    """
    return _expected(inspect.type_info(kind), "")


def shown(value: object) -> str:
    """A value that was given, cut short if it is long.

    >>> shown(5.0), shown(True), shown("here"), shown([0] * 10)
    ('5', 'true', "'here'", '[0, 0, 0, 0, 0, 0, ...]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return plain(value) if isinstance(value, float) else reprlib.repr(value)


def _expected(info: inspect.Type, unit: str) -> str:
    match info:
        case inspect.Metadata(type=inner, extra=extra):
            extra = extra or {}
            return extra.get("expected") or _expected(inner, f" {extra['unit']}" if "unit" in extra else "")
        case inspect.UnionType(types=types):
            return _expected(next(each for each in types if not isinstance(each, inspect.NoneType)), unit)
        case inspect.FloatType() | inspect.IntType():
            return _expected_number(info, unit)
        case inspect.LiteralType(values=values):
            *others, last = map(str, values)
            return f"{', '.join(others)} or {last}"
    return _KINDS[type(info)]


def _expected_number(info: inspect.FloatType | inspect.IntType, unit: str) -> str:
    if info.ge is not None and info.le is not None:
        return f"between {plain(info.ge)} and {plain(info.le)}{unit}"
    bounds = {"at least": info.ge, "above": info.gt, "at most": info.le, "below": info.lt}
    given = " and ".join(f"{word} {plain(bound)}" for word, bound in bounds.items() if bound is not None)
    return f"{given}{unit}" or ("a number" if isinstance(info, inspect.FloatType) else "a whole number")
