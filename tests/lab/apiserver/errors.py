"""The API server's refusals: HTTP code, machine-readable reason, message, as one `Status` object."""

from tests.lab.apiserver.resources import Manifest, Resource


class StatusError(Exception):
    """A request that the API server refuses.

    `code` is the HTTP status, `reason` the word that clients branch on (`NotFound`, `Conflict`, ...).
    """

    def __init__(self, code: int, reason: str, message: str, details: Manifest | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def body(self) -> Manifest:
        """The `Status` object that goes over the wire."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def _details(resource: Resource, name: str) -> Manifest:
    return {"name": name, "group": resource.group, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> StatusError:
    """No such object."""
    message = f'{resource.qualified_name} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(resource, name))


def unknown_path() -> StatusError:
    """No such resource or subresource."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> StatusError:
    """A create for a name that is taken."""
    message = f'{resource.qualified_name} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, cause: str = "") -> StatusError:
    """Optimistic concurrency: the writer had not seen the object as it is now."""
    cause = cause or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {resource.qualified_name} "{name}": {cause}'
    return StatusError(409, "Conflict", message, _details(resource, name))


def invalid(resource: Resource, name: str, cause: str) -> StatusError:
    """An object that breaks a rule of its kind."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'{kind} "{name}" is invalid: {cause}'
    details = {"name": name, "group": resource.group, "kind": resource.kind, "causes": [{"message": cause}]}
    return StatusError(422, "Invalid", message, details)


def bad_request(message: str) -> StatusError:
    """A request that cannot be understood."""
    return StatusError(400, "BadRequest", message)


def expired(since: int, oldest: int) -> StatusError:
    """A watch from a version whose successors are no longer known."""
    return StatusError(410, "Expired", f"too old resource version: {since} ({oldest})")


def internal(message: str) -> StatusError:
    """A failure behind the API server, worded as it words them."""
    details = {"causes": [{"message": message}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", details)
