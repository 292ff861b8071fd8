"""Every error that routerd raises on purpose, split by whose move it is.

    RouterdError
    ├── UsageError            the person at the terminal: a wrong flag or value            exit 2
    ├── ConfigError           the operator: the configuration cannot be used              exit 78
    ├── UnreachableError      nobody answers on the socket                                exit 69
    ├── StoreError            the database cannot be opened, read or written              exit 70
    └── RequestError          the client: a request that gets a JSON-RPC error            exit by code
        ├── ParseError -32700 · InvalidRequest -32600 · MethodNotFound -32601 · InvalidParams -32602
        ├── NoSuchDecision -32001 · OutsidePool -32002 · UnknownModel -32003 · NoArmLeft -32004
        └── Overloaded -32005 · ShuttingDown -32006 · OutcomeIdInUse -32007

A message is one line: what is wrong, where, and what to do. Whatever is not in this tree is a bug; on the wire it
becomes -32603 with no detail, and the detail goes to the log.
"""

from typing import Any, ClassVar


class RouterdError(Exception):
    """Something that routerd expects to go wrong; its text is fit for a terminal."""

    exit_code: ClassVar[int] = 70


class UsageError(RouterdError):
    """A command was called with a flag or a value that it cannot use."""

    exit_code = 2


class ConfigError(RouterdError):
    """The configuration file cannot be read, parsed or believed."""

    exit_code = 78


class UnreachableError(RouterdError):
    """No daemon answers on the socket."""

    exit_code = 69


class StoreError(RouterdError):
    """The database cannot be used: newer than this program, locked by another daemon, unwritable."""


class RequestError(RouterdError):
    """A request that is answered with a JSON-RPC error object.

    Args:
        message: One line for a person.
        data: Machine-readable detail, sent as the error's `data`.
    """

    code: ClassVar[int] = -32603

    def __init__(self, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ParseError(RequestError):
    """The line is not JSON."""

    code = -32700


class InvalidRequest(RequestError):
    """The line is JSON but not a JSON-RPC request, or it is longer than a line may be."""

    code = -32600


class MethodNotFound(RequestError):
    """No such method."""

    code = -32601


class InvalidParams(RequestError):
    """A member of `params` is missing, unknown or of the wrong kind; `data` is `{path, reason}`."""

    code = -32602
    exit_code = 2


class NoSuchDecision(RequestError):
    """Nothing is known of this decision id."""

    code = -32001
    exit_code = 1


class OutsidePool(RequestError):
    """The model is not in the operator's pool."""

    code = -32002
    exit_code = 1


class UnknownModel(RequestError):
    """The model string names no model; `data.suggestions` are the nearest known ones."""

    code = -32003
    exit_code = 1


class NoArmLeft(RequestError):
    """The constraints removed every arm; `data` says which constraint removed which."""

    code = -32004
    exit_code = 1


class Overloaded(RequestError):
    """Too much is in flight; the same request may succeed later."""

    code = -32005


class ShuttingDown(RequestError):
    """The daemon is stopping."""

    code = -32006


class OutcomeIdInUse(RequestError):
    """The outcome id was used before with other content."""

    code = -32007
    exit_code = 1
