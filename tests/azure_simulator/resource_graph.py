"""Resource Graph: not answered yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ArmError
from .exchange import Call, Response

if TYPE_CHECKING:
    from .world import World


def query(_: World, __: Call) -> Response:
    raise ArmError(501, "NotImplemented", "Resource Graph comes next.")
