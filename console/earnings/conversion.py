"""What is shown of earnings in credits: by kind what can be converted, and the page that asks before it is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from console.format import Amount, Moment, Prefs, amount, moment
from console.forms import Form, FormState, is_number
from console.widgets import Confirmation, FormPage, Link
from domain.payouts.earnings import EarningsKind

_KINDS = {
    EarningsKind.GRANTED: "Paid in granted credits",
    EarningsKind.OWN_WORK: "Own work",
    EarningsKind.PAID: "Paid credits",
}


_EFFECT = "The credits are added to your balance. Converted amounts can no longer be paid out. This cannot be undone."


@dataclass(frozen=True, slots=True, kw_only=True)
class Convertible:
    """What an agent has of one kind. `href` leads to the agent; `sooner` is when more of it can be converted."""

    name: str
    href: str
    kind: str
    amount: Amount
    convertible: Amount
    sooner: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(FormPage):
    """The page that asks what to convert. `choices` are pairs of what the form sends and its words."""

    back: str
    choices: tuple[tuple[str, str], ...]
    rows: tuple[Convertible, ...]
    next: str


def page(earned: Mapping[str, Any], form: FormState, prefs: Prefs, base: str, cursor: str = "") -> Conversion:
    def at(cursor: str | None) -> str:
        return f"{here}/conversions/new" + (f"?{urlencode({'cursor': cursor})}" if cursor else "")

    here, each = f"{base}/earnings", [(_convertible(*one, prefs, base), one) for one in _earned(earned["data"])]
    return Conversion(
        title="Convert earnings into credits",
        crumbs=(Link(label="Earnings", href=here),),
        back=here,
        action=at(cursor),
        form=form,
        choices=tuple(
            (f"{agent['agent_id']}:{kind}", f"{row.name}, {row.kind.lower()}: {row.convertible.text}")
            for row, (agent, kind) in each
            if agent[kind]["convertible"].strip("0.")
        ),
        rows=tuple(row for row, _ in each),
        next=at(earned["next_cursor"]) if earned["next_cursor"] else "",
    )


def asking(earned: Mapping[str, Any], form: Form, prefs: Prefs, base: str) -> Confirmation | None:
    """Return the page that asks once more; None for a choice or an amount that the API has to refuse."""
    chosen = {f"{agent['agent_id']}:{kind}": (agent, kind) for agent, kind in _earned(earned["data"])}
    typed = form.number("amount")
    if form.text("earnings") not in chosen or (typed and not is_number(typed)):
        return None
    agent, kind = chosen[form.text("earnings")]
    sent = typed or agent[kind]["convertible"]
    converted = amount(sent, agent["currency"], prefs)
    return Confirmation(
        title=f"Convert {converted}?",
        back=f"{base}/earnings/conversions/new",
        action=f"{base}/earnings/conversions/new",
        label=f"Convert {converted}",
        kind="primary",
        form=FormState(key=form.key),
        facts=(("Agent", agent["agent_name"]), ("Earned as", _KINDS[kind])),
        effect=(_EFFECT,),
        fields=(("earnings", form.text("earnings")), ("amount", sent), ("sure", "yes")),
    )


def _earned(data: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], EarningsKind]]:
    for agent in data:
        for kind in EarningsKind:
            if agent[kind]["amount"].strip("0."):
                yield agent, kind


def _convertible(agent: Mapping[str, Any], kind: EarningsKind, prefs: Prefs, base: str) -> Convertible:
    earned = agent[kind]
    return Convertible(
        name=agent["agent_name"],
        href=f"{base}/agents/{agent['agent_id']}",
        kind=_KINDS[kind],
        amount=amount(earned["amount"], agent["currency"], prefs),
        convertible=amount(earned["convertible"], agent["currency"], prefs),
        sooner=moment(earned["next_convertible_at"], prefs) if earned["next_convertible_at"] else None,
    )
