"""The field types that request schemas are made of: bounded, storable, exact."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema as JsonSchema,
    model_validator,
)

from domain.budgets import free_text
from domain.common.errors import Invalid
from domain.common.ids import SUFFIX, is_id
from domain.common.mail import MAX_ADDRESS, checked_address
from domain.common.money import SCALES, SLOT, parse_ratio, plain_number
from domain.common.text import MAX_TEXT, deceptive_in_text, invisible_in_name, is_storable

#: A boolean of a body: `true` or `false`, and neither 1 nor "yes". Those of queries are read by `api.parameters`.
Flag = Annotated[bool, Strict()]
#: A whole number of a body: a JSON number, and neither "5" nor true.
Whole = Annotated[int, Strict()]


def _storable(number: int) -> int:
    if number >= 2**31:
        raise ValueError(f"This must be at most {2**31 - 1}.")
    return number


#: A version or a number from 1 on that the database can hold. The document has no bound, as it was released without.
Storable = Annotated[Whole, Field(ge=1), AfterValidator(_storable)]

#: What prices and balances are in.
_CURRENCIES = frozenset(SCALES) - {SLOT}

_LINE_BREAK = re.compile("[\t\r\n\u2028\u2029]")

T = TypeVar("T")


def _amount(value: object) -> str:
    """Bring what JSON can hold to one form; `domain.common.money.parse_amount` judges it once the asset is known."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('The amount must be a decimal string such as "12.50", or a number.')
    text = plain_number(value)
    if text is None:
        raise ValueError("The amount must be a plain decimal number such as 12.50.")
    return text


#: An amount before its asset is known: a plain decimal string. Give it to `domain.common.money.parse_amount`.
Amount = Annotated[
    str,
    BeforeValidator(_amount),
    JsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,9})?$"},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "examples": ["50.00"],
        }
    ),
]


def _share(value: object) -> str:
    text = _amount(value)
    try:
        parse_ratio(text, "A share")
    except Invalid as exc:
        raise ValueError(exc.detail) from None
    return text


#: A number between 0 and 1 with at most four decimals. Give it to `domain.common.money.parse_ratio`.
Share = Annotated[
    str,
    BeforeValidator(_share),
    JsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$"},
                {"type": "number", "minimum": 0, "maximum": 1},
            ],
            "examples": ["0.80"],
        }
    ),
]

#: A number such as a multiplier, zero or more, with at most four decimals. Give it to
#: `domain.marketplace.pricing.stored_terms.parse_bps`.
Ratio = Annotated[
    str,
    BeforeValidator(_amount),
    JsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^[0-9]{1,4}(\.[0-9]{1,4})?$"}, {"type": "number", "minimum": 0}],
            "examples": ["1.20"],
        }
    ),
]

#: An exact number in an answer, as a decimal string: an amount, a rate, a share. Clients read it as such.
Exact = Annotated[str, JsonSchema({"type": "string", "format": "decimal"})]


def _one_line(text: str) -> str:
    if not is_storable(text) or _LINE_BREAK.search(text):
        raise ValueError("Control characters and line breaks are not allowed here.")
    if not text.strip():
        raise ValueError("This must not be blank.")
    return text


def _visible(text: str) -> str:
    unseen = invisible_in_name(_one_line(text))
    if unseen is not None:
        raise ValueError(f"A name must consist of visible characters. This one contains {unseen}.")
    return text


def _lines(text: str) -> str:
    if not is_storable(text):
        raise ValueError("Control characters are not allowed here.")
    deceiving = deceptive_in_text(text)
    if deceiving is not None:
        raise ValueError(f"The text contains {deceiving}, which makes it look like another text. Remove it.")
    return text


def _free(text: str, info: ValidationInfo) -> str:
    free_text.check_free_text(text, info.field_name or "text")
    return text


def _address(text: str) -> str:
    try:
        return checked_address(text)
    except Invalid as exc:
        raise ValueError(exc.detail) from None


def _known(code: str) -> str:
    if code not in _CURRENCIES:
        raise ValueError(f"Unknown currency. Use one of {', '.join(sorted(_CURRENCIES))}.")
    return code


#: A name or a title: one line, 1 to 200 characters, something to see and nothing that cannot be seen.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_visible)]
#: A name that was given before, when it may have held what a new one may not.
GivenName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
#: Free text of several lines, up to 4,000 characters, with nothing that turns it round.
Note = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_lines)]
#: What people and agents write is shown to others, so it holds no secret, no card number and no invisible characters.
FreeText = AfterValidator(_free)
#: What a list is searched or filtered by.
SearchText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
#: A principal: what a person or a machine is called within its organization.
PRINCIPAL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$")
Principal = Annotated[str, StringConstraints(pattern=PRINCIPAL)]
#: Where mail can be sent.
EmailAddress = Annotated[
    str,
    StringConstraints(max_length=MAX_ADDRESS),
    AfterValidator(_address),
    JsonSchema({"type": "string", "format": "email", "maxLength": MAX_ADDRESS, "examples": ["billing@acme.example"]}),
]
#: The code of an asset that the books know.
Currency = Annotated[
    str, AfterValidator(_known), JsonSchema({"type": "string", "enum": sorted(_CURRENCIES), "examples": ["CREDIT"]})
]


def _id_of(prefix: str) -> AfterValidator:
    def check(text: str) -> str:
        if not is_id(text, prefix):
            raise ValueError(f"The id must have the form {prefix}_….")
        return text

    return AfterValidator(check)


def _id_schema(prefix: str) -> JsonSchema:
    return JsonSchema({"type": "string", "pattern": f"^{prefix}_{SUFFIX}$"})


#: Ids in a body or a query, where another form is a 422. In a path it is a 404: those are plain strings there.
OrganizationId = Annotated[str, StringConstraints(max_length=64), _id_of("org"), _id_schema("org")]
AgentId = Annotated[str, StringConstraints(max_length=64), _id_of("agt"), _id_schema("agt")]
ContractId = Annotated[str, StringConstraints(max_length=64), _id_of("ctr"), _id_schema("ctr")]
EventId = Annotated[str, StringConstraints(max_length=64), _id_of("evt"), _id_schema("evt")]
EscrowId = Annotated[str, StringConstraints(max_length=64), _id_of("esc"), _id_schema("esc")]
InvoiceId = Annotated[str, StringConstraints(max_length=64), _id_of("inv"), _id_schema("inv")]
PaymentId = Annotated[str, StringConstraints(max_length=64), _id_of("pay"), _id_schema("pay")]
DepartmentId = Annotated[str, StringConstraints(max_length=64), _id_of("dep"), _id_schema("dep")]
ProjectId = Annotated[str, StringConstraints(max_length=64), _id_of("prj"), _id_schema("prj")]
QuoteId = Annotated[str, StringConstraints(max_length=64), _id_of("quo"), _id_schema("quo")]
RuleId = Annotated[str, StringConstraints(max_length=64), _id_of("prl"), _id_schema("prl")]
NotificationId = Annotated[str, StringConstraints(max_length=64), _id_of("ntf"), _id_schema("ntf")]
ControlId = Annotated[str, StringConstraints(max_length=64), _id_of("ctl"), _id_schema("ctl")]

_PERIOD = re.compile(r"P(?!$)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?!$)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?")
MIN_PERIOD = timedelta(seconds=1)
MAX_PERIOD = timedelta(days=3 * 366)


def _period(value: object) -> timedelta:
    match = _PERIOD.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        raise ValueError(
            "A period must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as P7D."
        )
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    period = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not MIN_PERIOD <= period <= MAX_PERIOD:
        raise ValueError("A period must last between one second and three years.")
    return period


#: A length of time in a request: an ISO 8601 duration between one second and three years.
Period = Annotated[
    timedelta,
    BeforeValidator(_period),
    JsonSchema(
        {
            "type": "string",
            "pattern": r"^P([0-9]{1,3}D|T[1-9][0-9]{0,3}[HMS])$",
            "description": "ISO 8601 duration from one second to three years.",
            "examples": ["P7D"],
        }
    ),
]


def period_text(seconds: int) -> str:
    """Write seconds as an ISO 8601 duration: 604,800 is `P7D`."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    clock = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if value)
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "") if seconds else "PT0S"


def _in_range(moment: datetime) -> datetime:
    try:
        utc = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("This time is out of range. Use a year from 1970 to 9998.") from None
    if not 1970 <= utc.year <= 9998:
        raise ValueError("This time is out of range. Use a year from 1970 to 9998.")
    return utc


def _only_text(value: Any) -> Any:
    # Pydantic would also take seconds since 1970, as a number or in digits.
    if not isinstance(value, str) or not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:", value):
        raise ValueError("A time must be an RFC 3339 string such as 2026-01-31T12:00:00Z.")
    return value


#: A moment in a request: RFC 3339 with a zone, kept in UTC.
Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_range)]


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _only_day(value: object) -> object:
    # Pydantic would also take seconds since 1970, and midnight in any zone.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("A day must be a date such as 2026-01-31.")
    return value


#: A day in a request, without a time and a zone.
Day = Annotated[date, BeforeValidator(_only_day)]


def _day_or_moment(text: str) -> date | datetime:
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            _in_range(datetime(day.year, day.month, day.day, tzinfo=UTC))
            return day
        moment = datetime.fromisoformat(str(_only_text(text)))
    except ValueError:
        raise ValueError("This must be a day such as 2026-01-31 or a time such as 2026-01-31T12:00:00Z.") from None
    if moment.tzinfo is None:
        raise ValueError("A time must name its zone, such as 2026-01-31T12:00:00Z.")
    return _in_range(moment)


#: A day, which a zone makes a moment of, or a moment.
DayOrMoment = Annotated[
    date | datetime,
    PlainValidator(_day_or_moment),
    JsonSchema({"type": "string", "maxLength": 40, "examples": ["2026-01-31"]}),
]


class RequestModel(BaseModel):
    """The base of every request schema: unknown fields are refused, so a client learns about its typo."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_a_number(cls, value: object) -> object:
        """Refuse a `Decimal`: FastAPI has attributes read, so it would pass as an object whose fields are left out."""
        if isinstance(value, Decimal):
            raise ValueError("This must be an object.")
        return value


def example(**fields: Any) -> ConfigDict:
    """Return the `model_config` of a request schema that shows these fields in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class ResponseModel(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def from_row(cls, row: object, /, **given: Any) -> Self:
        """Show a row: fields that are not given are its attributes of the same name, `organization_id` its `org_id`.

        A field with a default is never read from the row. A test compares the attributes with the type of the row.
        """
        names, read = _copied(cls, *given)
        given.update(zip(names, read(row), strict=True))
        shown: Self = cls.__pydantic_validator__.validate_python(given)  # as the constructor does, without its copy
        return shown


@cache
def _copied(view: type[BaseModel], *given: str) -> tuple[tuple[str, ...], Callable[[object], Iterable[object]]]:
    copied = {
        field.alias or name: "org_id" if name == "organization_id" else name
        for name, field in view.model_fields.items()
        if field.is_required() and name not in given and field.alias not in given
    }
    read = attrgetter(*copied.values())
    return tuple(copied), read if len(copied) > 1 else lambda row: (read(row),)


class Page(ResponseModel, Generic[T]):
    """One page of a list, and the cursor of the next page."""

    data: list[T]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; null on the last page."
    )

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a page after what is on it: a page of `EscrowView` is an `EscrowPage`."""
        return f"{params[0].__name__.removesuffix('View')}Page"


def etag(version: int) -> Mapping[str, str]:
    return {"ETag": f'"{version}"'}
