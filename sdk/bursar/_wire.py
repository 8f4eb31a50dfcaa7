"""Encoding of requests and responses: exact amounts, ISO times, problem documents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr

from bursar._errors import APIError, UnexpectedAnswer, error_class

#: What an amount may be given as. A float is a `TypeError`: it cannot hold most amounts.
AmountLike: TypeAlias = Decimal | int | str


class Omitted:
    """The type of `OMITTED`: an argument that was not given, where None says null."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED: Final = Omitted()


class Free:
    """A value that is the caller's own JSON, where a float may stand."""

    def __init__(self, value: Any) -> None:
        """Keep the value."""
        self.value = value

    @classmethod
    def unless_omitted(cls, value: Any) -> Any:
        """Return the value, or that it was not given."""
        return value if value is OMITTED else cls(value)


def segment(value: str) -> str:
    """Return a parameter of a path.

    Raises:
        ValueError: it would be another path.
    """
    if not isinstance(value, str) or not value or value in {".", ".."}:
        raise ValueError("An id in a path must be a string that is not empty.")
    return quote(value, safe="")


def amount(value: AmountLike, name: str = "amount") -> Decimal:
    """Return an amount as a `Decimal`.

    Raises:
        TypeError: it is a float, or no number at all.
        ValueError: it is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"{name} must be a Decimal, an int or a string such as '12.50', not {type(value).__name__}.")
    try:
        exact = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{name} must be a decimal number such as '12.50'.") from None
    if not exact.is_finite():
        raise ValueError(f"{name} must be a finite number.")
    return exact


def period(value: timedelta) -> str:
    """Write a time as an ISO 8601 duration of whole seconds."""
    seconds = value.days * 86_400 + value.seconds
    if seconds <= 0:
        raise ValueError("A period must last at least a second.")
    days, rest = divmod(seconds, 86_400)
    return f"PT{seconds}S" if rest else f"P{days}D"


def encoded(value: Any, name: str = "the body") -> Any:
    """Return a value as JSON has it.

    Raises:
        TypeError: there is a float in it, or something that JSON has no form for.
    """
    value = value.value if isinstance(value, Enum) else value
    match value:
        case Free():
            return _free(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            raise TypeError(f"{name} must not be a float, which is not exact: use a Decimal or a string.")
        case Decimal():
            return format(amount(value, name), "f")
        case datetime():
            return _moment(value, name)
        case date():
            return value.isoformat()
        case timedelta():
            return period(value)
        case BaseModel():
            return encoded(value.model_dump(exclude_unset=True), name)
        case Mapping():
            return {str(key): encoded(item, str(key)) for key, item in value.items() if item is not OMITTED}
        case Sequence():
            return [encoded(item, name) for item in value]
    raise TypeError(f"{name} has no form in JSON: {type(value).__name__}.")


def _moment(value: datetime, name: str) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{name} must have a time zone.")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _free(value: Any) -> Any:
    match value:
        case float():
            return value
        case Mapping():
            return {str(key): _free(item) for key, item in value.items()}
        case list() | tuple():
            return [_free(item) for item in value]
    return encoded(value)


def query_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the parameters that were given, as a query has them: lists with commas, objects as `name[key]=value`."""
    pairs = []
    for name, value in values.items():
        if value is None or value is OMITTED:
            continue
        if isinstance(value, Mapping):
            pairs += [(f"{name}[{key}]", _in_query(item, name)) for key, item in value.items()]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            pairs.append((name, ",".join(_in_query(item, name) for item in value)))
        else:
            pairs.append((name, _in_query(value, name)))
    return pairs


def _in_query(value: Any, name: str) -> str:
    text = encoded(value, name)
    return str(text).lower() if isinstance(text, bool) else str(text)


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return amount(value)
        except ValueError:
            return value
    return value


#: An amount in an answer: a `Decimal`.
Amount = Annotated[Decimal, BeforeValidator(_kept)]


@dataclass(frozen=True, slots=True)
class ResponseInfo:
    """Metadata of a response.

    Attributes:
        request_id: finds the request in the logs.
        replayed: whether the API had answered this key before.
        retried: whether an earlier attempt of the same call may have reached the API, so that a replay may be its own.
        etag: what to give as `if_match`.
        key: the idempotency key of the request; None if the operation takes none.
    """

    request_id: str | None = None
    replayed: bool = False
    retried: bool = False
    etag: str | None = None
    key: str | None = None


#: What a member is by default that the server always sends: an older server may not know it.
NOT_SENT: Any = object()


class Model(BaseModel):
    """The base of all that the API answers. Members that this version does not know are kept.

    A member that an older server does not send is not there: reading it is an `AttributeError`.
    """

    model_config = ConfigDict(
        extra="allow", frozen=True, defer_build=True, protected_namespaces=(), populate_by_name=True
    )

    _info: ResponseInfo = PrivateAttr(default_factory=ResponseInfo)

    def model_post_init(self, _context: Any) -> None:
        """Forget what was not sent.

        Raises:
            ValueError: nothing was sent of what always is.
        """
        missing = [name for name, value in self.__dict__.items() if value is NOT_SENT]
        if not missing:
            return
        if not self.model_fields_set & type(self).model_fields.keys():
            raise ValueError("it has no member of this model")
        for name in missing:
            del self.__dict__[name]


def response_info(answer: Model) -> ResponseInfo:
    """Return a response's metadata: its request id, whether it is a replay, its ETag."""
    return answer._info


_EXACT = json.JSONDecoder(parse_float=Decimal)


def parse_json(content: bytes) -> Any:
    """Read JSON with exact numbers.

    Raises:
        ValueError: it is none.
    """
    return _EXACT.decode(content.decode())


def read_json(response: httpx2.Response, key: str | None = None) -> Any:
    """Read an answer with exact numbers; `key` is that of its request.

    Raises:
        UnexpectedAnswer: it is no JSON.
    """
    try:
        return parse_json(response.content)
    except ValueError:
        raise UnexpectedAnswer(
            "The answer is no JSON: is this the address of the API?",
            status=response.status_code,
            body=response.content,
            key=key,
        ) from None


def retry_after(response: httpx2.Response) -> float | None:
    """Return how many seconds an answer asks to wait."""
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None


def refusal(response: httpx2.Response) -> APIError:
    """Return the error of a response."""
    try:
        problem = parse_json(response.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    kind = error_class(response.status_code, str(problem.get("code") or ""))
    return kind(
        response.status_code,
        problem,
        request_id=response.headers.get("x-request-id"),
        retry_after=retry_after(response),
    )
