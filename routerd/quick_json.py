"""
JSON for a program that starts for one question: what `json` does with its defaults, without what `json` imports.

`json` needs `re`, and `re` takes as long to import as Python takes to start. What does the work in both directions is
C and takes nothing; where a Python does without that C, `json` itself is used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself is what takes long
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

quick: ModuleType | None
try:
    import _json as quick
except ImportError:  # PyPy
    quick = None

SPACE = " \t\n\r"


class _Defaults:
    """What the scanner is told, as `json.JSONDecoder` does by default."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int

    @staticmethod
    def parse_constant(name: str) -> float:
        """`NaN` and the infinities, which `json` takes too."""
        return float(name)


def loads(data: bytes | str) -> Any:
    """
    The value of a JSON text; bytes are UTF-8.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    text = data if isinstance(data, str) else data.decode()
    if quick is None:
        import json  # noqa: PLC0415

        return json.loads(text)
    begin = len(text) - len(text.lstrip(SPACE))
    try:
        value, end = quick.make_scanner(_Defaults)(text, begin)
    except StopIteration:
        raise ValueError("not JSON: a value is missing") from None
    if text[end:].strip(SPACE):
        raise ValueError("not JSON: something follows the value")
    return value


def dumps(value: object) -> str:
    """
    A value as JSON, on one line and in ASCII.

    Raises:
        ValueError: A number is not finite, or the value contains itself.
        TypeError: JSON has no such value.
        RecursionError: It is nested too deeply.
    """
    if quick is None:
        import json  # noqa: PLC0415

        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    encode = quick.make_encoder({}, _refuse, quick.encode_basestring_ascii, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"JSON has no {type(value).__name__}")
