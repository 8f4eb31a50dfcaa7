"""What an agent reads of its budget: a few lines, made from the organization's template and figures. Pure.

Nothing that an agent, a vendor or a customer wrote gets into it. Of what people of the organization write it has the
labels of their payment methods, and their template.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.budgets.policy import MethodKind, Policy
from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.money import COINS, CREDIT, format_amount

#: The most characters of a prompt; lines that do not fit are left out, from the end.
MAX_PROMPT = 1_200
MAX_TEMPLATE = 1_000
#: The most payment methods that a prompt names.
MAX_METHODS = 3
STANDARD_TEMPLATE = """\
Daily Budget: {daily} (remaining: {remaining})
Preferred Payment: {payment}
Cost Tracking: Log all expenses and alternatives considered
Revenue Goal: Look for monetization opportunities
Economic Constraint: Stay within budget, prefer free solutions
Project Budget: {project}
Reserve: {reserve}
Budget Pace: {pace}
Crypto Preferences: {crypto}"""
PLACEHOLDERS = ("daily", "remaining", "payment", "project", "reserve", "pace", "crypto")

_PLACE = re.compile(r"\{([^{}\n]*)\}")
_SIGNS = {"USD": "$", "CAD": "$", "AUD": "$", "NZD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_EACH = {
    Window.HOUR: "per hour",
    Window.DAY: "",
    Window.WEEK: "per week",
    Window.MONTH: "per month",
    Window.QUARTER: "per quarter",
    Window.LIFETIME: "in all",
}
_THIS = {window: f"this {window.value}" for window in Window} | {Window.DAY: "today", Window.LIFETIME: "in all"}
_KINDS = {
    MethodKind.CARD: "Card",
    MethodKind.OTHER: "other methods",
    **{kind: f"{kind.value} wallet" for kind in MethodKind if kind.value in COINS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBalance:
    """One pool of a budget in a window, in minor units.

    Attributes:
        amount_minor: its size.
        remaining_minor: what is left of it.
        currency: the budget's.
        resets_at: when the window begins anew; None for a lifetime.
    """

    amount_minor: int
    remaining_minor: int
    currency: str
    window: Window
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFigures:
    """What a prompt says of one agent; None for what does not apply to it.

    Attributes:
        own: the budget of its day, or else the one that refuses first.
        methods: the labels of the payment methods, the preferred one first.
        project: what is left of the project's budget.
        reserve: what is left of the nearest reserve.
        allowance: what it may draw of a reserve without a person.
        pace_ends_at: when today's pace uses up the budget of the day, in its own time zone.
        crypto: the coins in the order of preference.
    """

    own: PoolBalance | None = None
    methods: Sequence[str] = ()
    project: PoolBalance | None = None
    reserve: PoolBalance | None = None
    allowance: PoolBalance | None = None
    pace_ends_at: datetime | None = None
    crypto: Sequence[str] = ()

    def values(self) -> dict[str, str]:
        """Return the text of each placeholder; empty for what does not apply."""
        project, reserve = self.project, self.reserve
        return {
            "daily": _size(self.own) if self.own else "none set",
            "remaining": format_money(self.own.remaining_minor, self.own.currency) if self.own else "not limited",
            "payment": ", then ".join(map(_plain, self.methods[:MAX_METHODS])) or "none declared",
            "project": "" if project is None else f"{_amount(project)} remaining {_THIS[project.window]}",
            "reserve": "" if reserve is None else f"{_amount(reserve)} ({self._drawn()})",
            "pace": "" if self.pace_ends_at is None else f"at today's pace it ends at {self.pace_ends_at:%H:%M}",
            "crypto": ", then ".join(self.crypto),
        }

    def _drawn(self) -> str:
        if self.allowance is None:
            return "drawn with a person's approval"
        return f"{_amount(self.allowance)} can be drawn without approval"


def check_template(template: str) -> None:
    """Refuse a template that is too long, or has a placeholder that there is none of.

    Raises:
        Invalid: with the field `template`.
    """
    if len(template) > MAX_TEMPLATE:
        raise Invalid(f"A template has at most {MAX_TEMPLATE} characters.", extra={"field": "template"})
    unknown = sorted({name for name in _PLACE.findall(template) if name not in PLACEHOLDERS})
    rest = _PLACE.sub("", template)
    if unknown or "{" in rest or "}" in rest:
        raise Invalid(
            f"A template has no placeholders but {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}.",
            extra={"field": "template"},
        )


def render(template: str | None, figures: PromptFigures) -> str:
    """Write the prompt. Lines are left out that have a placeholder for something that does not apply."""
    values = figures.values()
    lines: list[str] = []
    length = 0
    for line in (template or STANDARD_TEMPLATE).splitlines():
        if any(not values[name] for name in _PLACE.findall(line)):
            continue
        written = _PLACE.sub(lambda found: values[found[1]], line)
        length += len(written) + 1
        if length > MAX_PROMPT:
            break
        lines.append(written)
    return "\n".join(lines) + "\n"


def etag_of(content: str) -> str:
    """Return the ETag of what is answered."""
    return f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'


def preferred(policy: Policy, labels: Sequence[str]) -> list[str]:
    """Return the declared methods by their labels, or where none is declared the kinds that the policy prefers."""
    return list(labels) or [_KINDS[kind] for kind in policy.order if kind in _KINDS]


def pace_ends_at(
    *, used_minor: int, remaining_minor: int, starts_at: datetime, resets_at: datetime, at: datetime, zone: ZoneInfo
) -> datetime | None:
    """Return when a window's budget is used up if it goes on as since its start; None if it lasts until the end."""
    elapsed = (at - starts_at) // timedelta(microseconds=1)
    if used_minor <= 0 or remaining_minor <= 0 or elapsed <= 0:
        return None
    lasts = elapsed * remaining_minor // used_minor
    if lasts >= (resets_at - at) // timedelta(microseconds=1):
        return None
    return (at + timedelta(microseconds=lasts)).astimezone(zone)


def format_money(amount_minor: int, currency: str) -> str:
    """Write an amount as people do: `$25`, `$18.50`; without a sign where the currency has no usual one."""
    written = format_amount(amount_minor, currency)
    whole, _, decimals = written.partition(".")
    return _SIGNS.get(currency, "") + (written if decimals.strip("0") else whole)


def _amount(left: PoolBalance) -> str:
    return f"{format_money(left.remaining_minor, left.currency)} {_named(left.currency)}"


def _size(left: PoolBalance) -> str:
    return f"{format_money(left.amount_minor, left.currency)} {_named(left.currency)} {_EACH[left.window]}".rstrip()


def _named(currency: str) -> str:
    return "credits" if currency == CREDIT else currency


def _plain(label: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in label).split())[:80]
