# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""JSON that somebody else wrote, read so that nothing in it can hurt: not its depth, not its numbers, not its types."""

import json
import math
from typing import Any, Dict, List, Optional, Union

JsonValue = Union[None, bool, int, float, str, List[Any], Dict[str, Any]]

# int() of a long text takes quadratic time; no number in these files is longer than a .NET tick count.
_LONGEST_NUMBER = 32


class BadJson(ValueError):
    """Not JSON, or not JSON that anybody sane would have written."""


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise BadJson("it holds a number of {0} digits".format(len(text)))
    return int(text)


def _number(text: str) -> float:
    value = float(text[:_LONGEST_NUMBER])
    if not math.isfinite(value):
        raise BadJson("it holds a number that is out of range")
    return value


def _constant(text: str) -> float:
    raise BadJson("it holds {0}, which is not JSON".format(text))


def parse(data: bytes) -> JsonValue:
    """The value, or BadJson with a few words that say why not. The data's size is for the caller to bound."""
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_constant)
    except BadJson:
        raise
    except UnicodeDecodeError:
        raise BadJson("it is not UTF-8 text") from None
    except RecursionError:
        raise BadJson("it is nested too deeply") from None
    except ValueError as error:
        # The message names a position, never the content.
        raise BadJson("it is not JSON ({0})".format(error)) from None
    return value


def mapping(value: JsonValue) -> Dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def first_mapping(value: JsonValue) -> Dict[str, Any]:
    """The files of the agent and the extension wrap their one object into a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    return mapping(value)


def text_of(value: JsonValue) -> Optional[str]:
    return value if isinstance(value, str) else None


def int_of(value: JsonValue) -> Optional[int]:
    """An integer, also one that was written as text, which is how the extension writes its code."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            return int(value)
        except ValueError:
            return None
    return None
