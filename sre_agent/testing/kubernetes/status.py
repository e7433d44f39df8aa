"""The API server's error answers: Status objects, as apimachinery/pkg/api/errors builds them."""

from typing import Any

Json = dict[str, Any]

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
}


class ApiError(Exception):
    """A refusal on its way to the client: HTTP status, message, details (`causes` in the API's own shape)."""

    def __init__(self, code: int, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def status(self) -> Json:
        """The Status object that is the body of the answer."""
        body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message}
        body["reason"] = _REASONS.get(self.code, "Unknown")
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(code: int) -> Json:
    """The Status of a write that answers with no object (evictions)."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def not_found(plural: str, name: str) -> ApiError:
    """404 for one object."""
    return ApiError(404, f'{plural} "{name}" not found', {"name": name, "kind": plural})


def conflict(plural: str, name: str, why: str) -> ApiError:
    """409: somebody moved first."""
    return ApiError(409, f'Operation cannot be fulfilled on {plural} "{name}": {why}', {"name": name, "kind": plural})


def invalid(kind: str, name: str, field: str, why: str) -> ApiError:
    """422 with the field in the causes."""
    causes = [{"reason": "FieldValueInvalid", "message": why, "field": field}]
    return ApiError(422, f'{kind} "{name}" is invalid: {field}: {why}', {"name": name, "kind": kind, "causes": causes})


def unimplemented(what: str) -> ApiError:
    """501: the stand-in does not do this, and says so."""
    return ApiError(501, f"the stand-in API server does not implement {what}")
