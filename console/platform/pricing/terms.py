"""The kinds of rules: what a form sends as the API takes it, the same back, and the effect of a rule in a sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import get_day_names

from console.filters import money as money_of
from console.format import Prefs, joined, local_time, number
from console.forms import Form, whole, written
from console.reader import reader
from console.texts import N_, _, gettext
from domain.marketplace.pricing.rule import RuleType
from domain.marketplace.pricing.terms import MAX_STEPS

#: In front of the fields of the terms: a rule has a floor of its own, and so have the bounds that it may set.
_OF = "terms_"
WEEKDAYS = f"{_OF}weekdays"
_RULE = ("name", "stacking", "agent_id", "organization_id", "floor", "ceiling")
_MOMENTS = ("valid_from", "valid_until")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule: its word, its sentence, the fields of its terms, and the threshold of its steps, if it has any.

    One that does not stack multiplies nothing: it has no stacking, and no floor and ceiling of its own.
    """

    word: str
    lead: str
    fields: tuple[str, ...] = ()
    step: str = ""
    stacks: bool = True


_EXPRESSION = N_("By an expression that returns basis points: 12000 is 1.2 times the price.")
_AGREED = N_("In place of the listed price, for one agent and one client; it names both.")
_OF_SCORE = ("whose", "multiplier", "from_score", "full_score", "least_evidence")
_VOLUME = N_("By what the client paid for released work in the last 30 days.")
_SURGE = N_("Higher while an agent's utilisation exceeds a threshold.")
_TIMES = N_("Between two times of day, on some weekdays.")
_LIMITS = N_("The lowest and the highest price, applied after all other rules.")
KINDS: Mapping[str, Kind] = {
    RuleType.SURGE: Kind(N_("Demand"), _SURGE, ("threshold", "maximum", "full")),
    RuleType.REPUTATION: Kind(N_("Reputation"), N_("By reputation score."), _OF_SCORE),
    RuleType.TIME_OF_DAY: Kind(N_("Time of day"), _TIMES, ("multiplier", "zone", "begins", "ends")),
    RuleType.BULK: Kind(N_("Quantity"), N_("By quantity bought at once."), step="quantity"),
    RuleType.VOLUME: Kind(N_("Volume"), _VOLUME, ("currency",), step="amount"),
    RuleType.TIER: Kind(N_("Tier"), N_("For clients of one tier."), ("tier", "multiplier")),
    RuleType.CONTRACT_PRICE: Kind(N_("Agreed price"), _AGREED, ("unit_price", "currency"), stacks=False),
    RuleType.CUSTOM: Kind(N_("Expression"), _EXPRESSION, ("expression",)),
    RuleType.BOUNDS: Kind(
        N_("Bounds"), _LIMITS, ("floor", "ceiling", "floor_amount", "ceiling_amount", "currency"), stacks=False
    ),
}


def days_of_week() -> list[str]:
    """Return the names of the days, Monday first."""
    names = get_day_names("wide", locale=reader().prefs.locale)
    return [names[at] for at in range(7)]


def kind_of(asked: str) -> str:
    """Return the kind that an address or a form names; the first where it names none."""
    return asked if asked in KINDS else RuleType.SURGE.value


def step_fields(number_of: int = MAX_STEPS) -> tuple[tuple[str, str], ...]:
    """Return the names of the fields of steps: a threshold and a multiplier each."""
    return tuple((f"{_OF}from_{each}", f"{_OF}times_{each}") for each in range(1, number_of + 1))


def fields_of(kind: str) -> tuple[str, ...]:
    """Return what a form of a kind may hold once; weekdays come several times."""
    steps = [name for pair in step_fields() for name in pair] if KINDS[kind].step else []
    return ("type", "priority", *_RULE, *_MOMENTS, *(_OF + name for name in KINDS[kind].fields), *steps)


def rule(kind: str, form: Form, zone: str) -> dict[str, Any]:
    """Return what was typed as the API takes it; what is no number or moment as it is, so that it refuses."""
    found: dict[str, Any] = {name: form.maybe(name) for name in _RULE}
    found |= {name: _moment(form.text(name), zone) for name in _MOMENTS}
    found["priority"] = whole(form.text("priority"))
    found["terms"] = {"type": kind} | {
        name: whole(text) if name == "least_evidence" else form.as_read(text)
        for name in KINDS[kind].fields
        if (text := form.maybe(_OF + name)) is not None
    }
    if kind == RuleType.TIME_OF_DAY:
        found["terms"]["weekdays"] = [whole(each) for each in form.all(WEEKDAYS)]
    if begins := KINDS[kind].step:
        found["terms"]["steps"] = [
            {begins: (whole if begins == "quantity" else form.as_read)(form.text(least)), "multiplier": form.text(by)}
            for least, by in _filled(form)
        ]
    return found


def names(kind: str, form: Form) -> dict[str, str]:
    """Return the form's names for the fields of the API, alone and within a dry run."""
    found = {f"terms.{name}": _OF + name for name in (*KINDS[kind].fields, "weekdays")}
    found["terms.steps"] = step_fields(1)[0][0]
    for at, (least, by) in enumerate(_filled(form)):
        found |= {f"terms.steps.{at}.{KINDS[kind].step}": least, f"terms.steps.{at}.multiplier": by}
    found |= {name: name for name in ("priority", *_RULE, *_MOMENTS)}
    return found | {f"rule.{name}": own for name, own in found.items()}


def typed(body: Mapping[str, Any], zone: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return a rule of the API as its form has it: the fields, and those that come several times."""
    kind, terms = KINDS[body["type"]], body["terms"]
    values = {name: str(body[name]) for name in ("priority", *_RULE) if body[name] is not None}
    values |= {name: _local(body[name], zone) for name in _MOMENTS if body[name] is not None}
    values |= {_OF + name: written(str(terms[name])) for name in kind.fields if terms.get(name) is not None}
    for (least, by), step in zip(step_fields(), terms.get("steps", ()), strict=False):
        values |= {least: written(str(step[kind.step])), by: step["multiplier"]}
    return values, {WEEKDAYS: tuple(str(each) for each in terms.get("weekdays", ()))}


def effect(body: Mapping[str, Any]) -> str:
    """Return the effect of a rule in a sentence."""
    kind, terms = body["type"], body["terms"]
    if kind == RuleType.CUSTOM:
        return str(terms["expression"])
    if kind == RuleType.BULK:
        return _steps((str(each["quantity"]), each["multiplier"]) for each in terms["steps"])
    code = terms.get("currency")
    if kind == RuleType.VOLUME:
        return _steps((money_of(each["amount"], code), each["multiplier"]) for each in terms["steps"])
    said = {**terms}
    said |= {name: number(terms[name], reader().prefs) for name in _NUMBERS if terms.get(name)}
    said |= {name: money_of(terms[name], code) for name in _AMOUNTS if terms.get(name)}
    if kind == RuleType.BOUNDS:
        return _joined(gettext(text) % said for name, text in _BOUNDS.items() if said[name])
    days = terms.get("weekdays", ())
    said["days"] = joined([days_of_week()[each - 1] for each in days])
    if len(days) == 7:
        kind = "every_day"
    return gettext(_EFFECTS[terms.get("whose", kind)]) % said


_NUMBERS = ("threshold", "maximum", "full", "multiplier", "from_score", "full_score", "floor", "ceiling")
_AMOUNTS = ("unit_price", "floor_amount", "ceiling_amount")
_EFFECTS = {
    RuleType.SURGE: N_("Up to %(maximum)s times from a demand of %(threshold)s to %(full)s"),
    "seller": N_("Up to %(multiplier)s times for a score of the agent from %(from_score)s to %(full_score)s"),
    "client": N_("Up to %(multiplier)s times for a score of the client from %(from_score)s to %(full_score)s"),
    "every_day": N_("%(multiplier)s times every day, %(begins)s to %(ends)s in %(zone)s"),
    RuleType.TIME_OF_DAY: N_("%(multiplier)s times on %(days)s, %(begins)s to %(ends)s in %(zone)s"),
    RuleType.TIER: N_("%(multiplier)s times for %(tier)s clients"),
    RuleType.CONTRACT_PRICE: N_("%(unit_price)s per unit"),
}
_BOUNDS = {
    "floor": N_("at least %(floor)s times"),
    "ceiling": N_("at most %(ceiling)s times"),
    "floor_amount": N_("at least %(floor_amount)s per unit"),
    "ceiling_amount": N_("at most %(ceiling_amount)s per unit"),
}


def _steps(steps: Iterable[tuple[str, str]]) -> str:
    return _joined(_("from %(least)s: %(multiplier)s times", least=least, multiplier=by) for least, by in steps)


def _joined(parts: Iterable[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _filled(form: Form) -> list[tuple[str, str]]:
    return [(least, by) for least, by in step_fields() if form.maybe(least) or form.maybe(by)]


def _moment(text: str, zone: str) -> str | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat() if text else None
    except ValueError:
        return text


def _local(iso: str, zone: str) -> str:
    local = local_time(iso, Prefs(zone=zone)).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
