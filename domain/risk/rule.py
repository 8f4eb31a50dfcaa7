"""Rules and lists, and how they decide. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.common.errors import Invalid, RiskRuleInvalid
from domain.risk.act import Outcome, Point
from domain.risk.facts import FACTS, Facts, value_of

MAX_BYTES = 1_000
#: The maximum number of parts of an expression, and so of its steps: it has no macros and no functions.
MAX_STEPS = 250
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PART = re.compile(
    r"(?P<space>\s+)|(?P<number>[0-9]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<sign>&&|\|\||[=!<>]=|[-+*/%()\[\],?:!<>])"
)
_WORDS = frozenset({"true", "false", "in"})

#: Evaluates an expression for the facts of its names; None after an overflow or a division by zero.
Evaluate = Callable[[Facts], bool | None]
#: Compiles a checked expression.
Compile = Callable[[str], Evaluate]


class Mode(StrEnum):
    """Whether a rule counts."""

    OFF = "off"
    SHADOW = "shadow"  # its outcome is stored with the decision, and has no effect
    ON = "on"


class ListName(StrEnum):
    """Lists of entities, which precede all rules."""

    ALLOW = "allow"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A version of a rule. Rules of one action are evaluated by priority, the lowest first, then by name.

    Attributes:
        points: where it applies.
        expression: of CEL, over `domain.risk.facts.FACTS`.
        sentence: what it is about, for operators.
    """

    name: str
    version: int
    points: frozenset[Point]
    expression: str
    action: Outcome
    priority: int
    mode: Mode
    sentence: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule that is ready to be evaluated."""

    rule: Rule
    names: frozenset[str]
    evaluate: Evaluate

    def matches(self, facts: Facts) -> bool:
        """Return whether it matches. A rule that cannot be computed does not."""
        return self.evaluate({name: value_of(facts, name) for name in self.names}) is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of lists and rules.

    Attributes:
        rule: the name of the deciding rule or list, and its version; None if nothing applied.
        shadow: the outcomes of rules in shadow that match, by name.
    """

    outcome: Outcome
    rule: str | None = None
    version: int | None = None
    shadow: Mapping[str, Outcome]


ALLOW_LIST, BLOCK_LIST = "allow_list", "block_list"
#: The rule of a decision that took too long, and saw no facts.
UNAVAILABLE = "unavailable"
#: The order in which matching rules decide, after the lists. A challenge does not end the evaluation.
ORDER = (Outcome.ALLOW, Outcome.BLOCK, Outcome.REVIEW, Outcome.HOLD_BACK)


def decide(rules: Iterable[Compiled], point: Point, facts: Facts, listed: frozenset[ListName]) -> Decision:
    """Decide by lists and rules; a function of its arguments.

    The allow list precedes the block list, and both precede rules. A challenge is the outcome where nothing stops or
    reviews the act: an allow rule does not lift it.
    """
    of_point = sorted((each for each in rules if point in each.rule.points), key=_place)
    matching = [each.rule for each in of_point if each.rule.mode is not Mode.OFF and each.matches(facts)]
    shadow = {rule.name: rule.action for rule in matching if rule.mode is Mode.SHADOW}
    if ListName.ALLOW in listed:
        return Decision(outcome=Outcome.ALLOW, rule=ALLOW_LIST, shadow=shadow)
    if ListName.BLOCK in listed:
        return Decision(outcome=Outcome.BLOCK, rule=BLOCK_LIST, shadow=shadow)
    first: dict[Outcome, Rule] = {}
    for rule in matching:
        if rule.mode is Mode.ON:
            first.setdefault(rule.action, rule)
    deciding = next((first[action] for action in ORDER if action in first), None)
    challenge = first.get(Outcome.CHALLENGE)
    if challenge is not None and (deciding is None or deciding.action is Outcome.ALLOW):
        deciding = challenge
    if deciding is None:
        return Decision(outcome=Outcome.ALLOW, shadow=shadow)
    return Decision(outcome=deciding.action, rule=deciding.name, version=deciding.version, shadow=shadow)


def outcome_with(outcome: Outcome, rule: str | None, added: Rule) -> Outcome:
    """Return the outcome that a decision would have had, had a further matching rule been on.

    Args:
        outcome: of the decision.
        rule: which decided; its own name is an earlier version, which the rule replaces.
        added: the further rule.
    """
    if rule in {ALLOW_LIST, BLOCK_LIST, UNAVAILABLE}:
        return outcome
    if rule is None or rule == added.name:
        return added.action
    if added.action is Outcome.CHALLENGE:
        return Outcome.CHALLENGE if outcome is Outcome.ALLOW else outcome
    if outcome is Outcome.CHALLENGE:
        return outcome if added.action is Outcome.ALLOW else added.action
    return min(outcome, added.action, key=ORDER.index)


def _place(each: Compiled) -> tuple[int, str]:
    return each.rule.priority, each.rule.name


def compiled(rule: Rule, compiler: Compile) -> Compiled:
    """Check and compile a rule.

    Raises:
        RiskRuleInvalid: `risk.rule_invalid`, with the place in the expression.
    """
    names = check(rule.expression)
    return Compiled(rule, names, compiler(rule.expression))


def check(source: str) -> frozenset[str]:
    """Return the facts that an expression names; it has whole numbers, texts, facts and operators only.

    Raises:
        RiskRuleInvalid: it has another part, or is too long.
    """
    if len(source.encode()) > MAX_BYTES:
        raise refused(f"An expression must not be longer than {MAX_BYTES} bytes.", 1)
    at = steps = 0
    names: set[str] = set()
    while at < len(source):
        found = _PART.match(source, at)
        if found is None:
            raise refused(f"{source[at]!r} is not allowed in an expression.", at + 1)
        kind, part, following = found.lastgroup, found.group(), source[found.end() : found.end() + 1]
        if kind == "number" and (following == "." or following.isalpha()):
            raise refused("An expression must use whole numbers only.", at + 1)
        if kind == "word" and part not in _WORDS:
            if part not in FACTS:
                raise refused(f"{part[:60]!r} is not a fact. docs/guides/risk.md lists the facts.", at + 1)
            names.add(part)
        steps += kind != "space"
        if steps > MAX_STEPS:
            raise refused(f"An expression must not have more than {MAX_STEPS} parts.", at + 1)
        at = found.end()
    return frozenset(names)


def refused(detail: str, position: int) -> Invalid:
    """Return the refusal of an expression; `position` counts its characters from 1."""
    return RiskRuleInvalid(f"{detail} (At character {position}.)", extra={"field": "expression", "position": position})


_PAYING = frozenset({Point.PAYMENT, Point.TOPUP})


def _default(
    name: str, points: Iterable[Point], expression: str, action: Outcome, sentence: str, priority: int = 100
) -> Rule:
    return Rule(
        name=name,
        version=0,
        points=frozenset(points),
        expression=expression,
        action=action,
        priority=priority,
        mode=Mode.ON,
        sentence=sentence,
    )


#: The rules of a new installation. A row of the same name replaces each.
DEFAULTS: Sequence[Rule] = (
    _default(
        "address_unpaid",
        _PAYING,
        "address_attempts_10m - address_paid_10m > 5 || address_declined_10m >= 5",
        Outcome.CHALLENGE,
        "More than five attempts of one address in ten minutes are not paid.",
    ),
    _default(
        "address_declined",
        _PAYING,
        "address_attempts_1h - address_paid_1h > 10 && address_declined_1h >= 5",
        Outcome.BLOCK,
        "Ten attempts of one address in an hour are not paid, and five of them were declined.",
    ),
    _default(
        "instruments_of_organization",
        _PAYING,
        "instruments_1h >= 3",
        Outcome.CHALLENGE,
        "An organization used three new payment instruments within an hour.",
    ),
    _default(
        "organizations_of_instrument",
        _PAYING,
        "instrument_organizations_1d >= 3",
        Outcome.REVIEW,
        "Three organizations used one payment instrument within a day.",
    ),
    _default(
        "second_signup",
        {Point.SIGNUP},
        "device_signups_1d >= 2",
        Outcome.REVIEW,
        "A second sign-up on one device within a day.",
    ),
    _default(
        "first_payout",
        {Point.PAYOUT},
        "payouts_before == 0 && first_earning_hours < 72",
        Outcome.REVIEW,
        "The first payout is requested within 72 hours of the first earning.",
    ),
    _default(
        "related_parties",
        {Point.FUND, Point.FEEDBACK},
        "linked == 1",
        Outcome.REVIEW,
        "Payer and payee share an owner or are linked.",
    ),
    _default(
        "spending_after_new_key",
        {Point.PAYMENT, Point.TOPUP, Point.FUND},
        "newest_key_minutes < 60 && organization_spent_value_1h > 5 * spent_peak_1h_30d && spent_peak_1h_30d > 0",
        Outcome.REVIEW,
        "Spending in the hour after a new key is five times the highest hour of 30 days.",
    ),
    _default(
        "refund_share",
        {Point.REFUND},
        "organization_refunded_value_30d * 2 > organization_paid_value_30d && organization_refunds_30d > 3",
        Outcome.REVIEW,
        "The organization had more than half of what it paid in 30 days refunded.",
    ),
)
