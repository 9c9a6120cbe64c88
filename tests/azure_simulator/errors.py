"""Azure's error form, and the refusals that more than one part gives."""

from __future__ import annotations

from typing import Any


class ArmError(Exception):
    """A refusal: status, code and message as Azure words them."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        target: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        wrapped: bool = True,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = headers
        self.wrapped = wrapped

    def body(self) -> dict[str, Any]:
        inner: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            inner["target"] = self.target
        if self.details is not None:
            inner["details"] = self.details
        return {"error": inner} if self.wrapped else inner


def resource_not_found(type_name: str, name: str, group: str) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{type_name}/{name}' under resource group '{group}' was not found. For more details please go "
        "to https://aka.ms/ARMResourceNotFoundFix",
    )


def parent_not_found(type_path: str, parent: str) -> ArmError:
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform 'write' on resource(s) of type '{type_path}', because the parent resource '{parent}' "
        "could not be found.",
    )


def not_allowed(message: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", message)


def invalid_parameter(message: str, target: str | None = None) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target)
