"""The kinds of rules: the fields of their forms, the same as the API takes it, and what a rule says in a sentence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from console.format import Prefs, joined, local_time, money, number
from console.forms import Form, written
from domain.marketplace.pricing.rule import RuleType, Stacking
from domain.marketplace.pricing.terms import MAX_STEPS

#: In front of the fields of the terms: a rule has a floor of its own, and so have the bounds that it may set.
_OF = "terms_"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY_DAY = tuple(str(number) for number in range(1, 8))
WEEKDAYS = f"{_OF}weekdays"
STACKING = (
    (Stacking.MULTIPLY.value, "Multiplies the price so far", ""),
    (Stacking.ADD.value, "Adds its part of the base price", "Or deducts it, below 1."),
    (Stacking.EXCLUSIVE.value, "Multiplies it, and no later rule applies", ""),
)
_MULTIPLIER = "1.20 adds 20 %, 0.90 deducts 10 %."
_RULE = ("name", "stacking", "agent_id", "organization_id", "floor", "ceiling")
_MOMENTS = ("valid_from", "valid_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a kind's form; `of` is its name in the API's terms. One with options is a choice."""

    of: str
    label: str
    hint: str = ""
    mode: str = "decimal"
    options: tuple[tuple[str, str], ...] = ()
    value: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        return f"{_OF}{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of rule; `step` is what its steps begin at, empty if it has none.

    One that does not stack multiplies nothing: it has no stacking, and no floor and ceiling beside its terms.
    """

    word: str
    sentence: str
    fields: tuple[Field, ...] = ()
    step: str = ""
    stacks: bool = True


_TIMES = Field(of="multiplier", label="Multiplier", hint=_MULTIPLIER, required=True)
KINDS: Mapping[str, Kind] = {
    RuleType.SURGE: Kind(
        word="Demand",
        sentence="Higher while an agent's utilisation exceeds a threshold.",
        fields=(
            Field(of="threshold", label="Starts at utilisation", hint="0.8 is 80 %.", required=True),
            Field(of="maximum", label="Maximum multiplier", hint="1.50 at most.", value="1.50", required=True),
            Field(of="full", label="Maximum at utilisation", value="1.00", required=True),
        ),
    ),
    RuleType.REPUTATION: Kind(
        word="Reputation",
        sentence="By reputation score.",
        fields=(
            Field(of="whose", label="Whose score", options=(("client", "The client's"), ("seller", "The agent's"))),
            Field(of="multiplier", label="Full multiplier", hint=_MULTIPLIER, value="0.80", required=True),
            Field(of="from_score", label="From a score of", hint="0 to 10.", value="7.00", required=True),
            Field(of="full_score", label="Full from a score of", value="9.00", required=True),
            Field(of="least_evidence", label="Minimum evidence", mode="numeric", value="10", required=True),
        ),
    ),
    RuleType.TIME_OF_DAY: Kind(
        word="Time of day",
        sentence="Between two times of day, on some weekdays.",
        fields=(
            _TIMES,
            Field(of="zone", label="Time zone", hint="Such as Europe/Vienna.", mode="text", value="UTC", required=True),
            Field(of="begins", label="From", hint="Such as 22:00.", mode="text", value="00:00", required=True),
            Field(
                of="ends",
                label="To",
                hint="Earlier than the start: the next day. The same: the whole day.",
                mode="text",
                value="00:00",
                required=True,
            ),
        ),
    ),
    RuleType.BULK: Kind(word="Quantity", sentence="By quantity bought at once.", step="quantity"),
    RuleType.VOLUME: Kind(
        word="Volume",
        sentence="By what the client paid for released work in the last 30 days.",
        fields=(Field(of="currency", label="Currency", mode="text", value="CREDIT", required=True),),
        step="amount",
    ),
    RuleType.TIER: Kind(
        word="Tier",
        sentence="For clients of one tier.",
        fields=(
            Field(of="tier", label="Plan", mode="text", hint="The plan's name, such as premium.", required=True),
            _TIMES,
        ),
    ),
    RuleType.CONTRACT_PRICE: Kind(
        word="Agreed price",
        stacks=False,
        sentence="In place of the listed price, for one agent and one client; it names both.",
        fields=(
            Field(of="unit_price", label="Price per unit", required=True),
            Field(of="currency", label="Currency", mode="text", value="CREDIT", required=True),
        ),
    ),
    RuleType.CUSTOM: Kind(
        word="Expression",
        sentence="By an expression that returns basis points: 12000 is 1.2 times the price.",
        fields=(
            Field(
                of="expression",
                label="Expression",
                hint="Such as: quantity >= 10 && tier == 'premium' ? 9000 : 10000. It may use quantity, demand, volume,"
                " hour, weekday, tier and currency.",
                mode="text",
                required=True,
            ),
        ),
    ),
    RuleType.BOUNDS: Kind(
        word="Bounds",
        stacks=False,
        sentence="The lowest and the highest price, applied after all other rules.",
        fields=(
            Field(of="floor", label="Minimum multiplier of the base price"),
            Field(of="ceiling", label="Maximum multiplier of the base price"),
            Field(of="floor_amount", label="Minimum per unit"),
            Field(of="ceiling_amount", label="Maximum per unit"),
            Field(of="currency", label="Currency of these amounts", mode="text"),
        ),
    ),
}
_WHOLE = frozenset({"least_evidence"})


def kind_of(asked: str) -> str:
    """Return the kind that an address or a form names; the first where it names none."""
    return asked if asked in KINDS else RuleType.SURGE.value


def step_fields(number_of: int) -> tuple[tuple[str, str], ...]:
    """Return the names of so many steps' fields: from what on, and how many times."""
    return tuple((f"{_OF}from_{each}", f"{_OF}times_{each}") for each in range(1, number_of + 1))


def fields_of(kind: str) -> tuple[str, ...]:
    """Return what a form of a kind may hold once; weekdays come several times."""
    steps = [name for pair in step_fields(MAX_STEPS) for name in pair] if KINDS[kind].step else []
    own = [field.name for field in KINDS[kind].fields]
    return ("type", "priority", *_RULE, *_MOMENTS, *own, *steps)


def rule(kind: str, form: Form, zone: str) -> dict[str, Any]:
    """Return what was typed as the API takes it; what is no number or moment as it is, so that it refuses."""
    found: dict[str, Any] = {name: form.maybe(name) for name in _RULE}
    found |= {name: _moment(form.text(name), zone) for name in _MOMENTS}
    found["priority"] = _whole(form.text("priority"))
    found["terms"] = {"type": kind} | {
        field.of: _whole(text) if field.of in _WHOLE else form.as_read(text)
        for field in KINDS[kind].fields
        if (text := form.maybe(field.name)) is not None
    }
    if kind == RuleType.TIME_OF_DAY:
        found["terms"]["weekdays"] = [_whole(each) for each in form.all(WEEKDAYS)]
    if begins := KINDS[kind].step:
        found["terms"]["steps"] = [
            {begins: (_whole if begins == "quantity" else form.as_read)(form.text(least)), "multiplier": form.text(by)}
            for least, by in _filled(form)
        ]
    return found


def names(kind: str, form: Form) -> dict[str, str]:
    """Return the form's names for the fields of the API, alone and within a dry run."""
    found = {f"terms.{field.of}": field.name for field in KINDS[kind].fields} | {"terms.weekdays": WEEKDAYS}
    first = step_fields(1)[0]
    found["terms.steps"] = first[0]
    for at, (least, by) in enumerate(_filled(form)):
        found |= {f"terms.steps.{at}.{KINDS[kind].step}": least, f"terms.steps.{at}.multiplier": by}
    found |= {name: name for name in ("priority", *_RULE, *_MOMENTS)}
    return found | {f"rule.{name}": own for name, own in found.items()}


def typed(body: Mapping[str, Any], zone: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return a rule of the API as its form has it: the fields, and those that come several times."""
    kind, said = KINDS[body["type"]], body["terms"]
    values = {name: str(body[name]) for name in ("priority", *_RULE) if body[name] is not None}
    values |= {name: _local(body[name], zone) for name in _MOMENTS if body[name] is not None}
    values |= {field.name: written(str(said[field.of])) for field in kind.fields if said.get(field.of) is not None}
    for (least, by), step in zip(step_fields(MAX_STEPS), said.get("steps", ()), strict=False):
        values |= {least: written(str(step[kind.step])), by: step["multiplier"]}
    return values, {WEEKDAYS: tuple(str(each) for each in said.get("weekdays", ()))}


def initial(kind: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    values = {field.name: field.value for field in KINDS[kind].fields if field.value}
    return {**values, "stacking": Stacking.MULTIPLY.value}, {WEEKDAYS: _EVERY_DAY}


def says(kind: str, said: Mapping[str, Any], prefs: Prefs) -> str:
    def times(name: str) -> str:
        return f"{number(said[name], prefs)} times"

    match kind:
        case RuleType.SURGE:
            return (
                f"Up to {times('maximum')} from a demand of {number(said['threshold'], prefs)}"
                f" to {number(said['full'], prefs)}"
            )
        case RuleType.REPUTATION:
            whose = "agent" if said["whose"] == "seller" else "client"
            scores = f"{number(said['from_score'], prefs)} to {number(said['full_score'], prefs)}"
            return f"Up to {times('multiplier')} for a score of the {whose} from {scores}"
        case RuleType.TIME_OF_DAY:
            days = "every day" if len(said["weekdays"]) == len(DAYS) else _days(said["weekdays"])
            return f"{times('multiplier')} {days}, {said['begins']} to {said['ends']} in {said['zone']}"
        case RuleType.BULK:
            return _steps((str(each["quantity"]), each["multiplier"]) for each in said["steps"])
        case RuleType.VOLUME:
            code = said["currency"]
            return _steps((money(each["amount"], code, prefs), each["multiplier"]) for each in said["steps"])
        case RuleType.TIER:
            return f"{times('multiplier')} for {said['tier']} clients"
        case RuleType.CONTRACT_PRICE:
            return f"{money(said['unit_price'], said['currency'], prefs)} per unit"
        case RuleType.CUSTOM:
            return str(said["expression"])
    parts = [
        f"{word} {times(name)}" for name, word in (("floor", "at least"), ("ceiling", "at most")) if said.get(name)
    ]
    parts += [
        f"{word} {money(said[name], said['currency'], prefs)} per unit"
        for name, word in (("floor_amount", "at least"), ("ceiling_amount", "at most"))
        if said.get(name)
    ]
    return _sentence(", ".join(parts))


def _days(numbers: Sequence[int]) -> str:
    return f"on {joined([DAYS[each - 1] for each in numbers])}"


def _steps(steps: Iterable[tuple[str, str]]) -> str:
    return _sentence("; ".join(f"from {least}: {by} times" for least, by in steps))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _filled(form: Form) -> list[tuple[str, str]]:
    return [(least, by) for least, by in step_fields(MAX_STEPS) if form.maybe(least) or form.maybe(by)]


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else text


def _moment(text: str, zone: str) -> str | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat() if text else None
    except ValueError:
        return text


def _local(iso: str, zone: str) -> str:
    local = local_time(iso, Prefs(zone=zone)).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
