"""Types of notifications: events and alerts, audience, and default cadence of each.

A type is for events of the outbox, or for alerts. A notification of an event contains only data of the event, so
nothing that `GET /events` would not show. A notification of an alert contains the alert's detail.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from domain.common.access import Role
from domain.common.mail import Formats, MailText, Purpose
from domain.messages.events import JSON
from domain.messages.notification.due import Cadence
from domain.messages.texts import TEXTS, title_of

_MONEY = frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE})
_PEOPLE = _MONEY | {Role.MEMBER, Role.AUDITOR}
_I, _D, _W, _OFF = Cadence.INSTANT, Cadence.DAILY, Cadence.WEEKLY, Cadence.OFF
#: The roles that get notifications. Agents and validators are machines, which use webhooks.
RECIPIENTS = _PEOPLE | {Role.OPERATOR, Role.ARBITER, Role.ACCOUNTANT}

#: Types without preferences: the verification code of a channel, and digests.
CODE, DIGEST = "channel_code", "digest"

#: Kinds of alerts that are mailed to every owner, at all verified addresses, besides the contacts.
MAILED_TO_OWNERS = frozenset({"payout.destination_added", "payout.destination_changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationType:
    """A type of notifications.

    Attributes:
        name: its name in preferences.
        sentence: its description.
        audience: the roles that can be notified.
        defaults: the roles that are by default, with the cadence over mail and Slack; the inbox is immediate.
        events: the types of its events.
        alerts: kinds of alerts, see `type_of_alert`.
        must_reach: whether somebody of the organization is always notified, whatever is switched off.
        urgent: whether it is sent during quiet hours.
        mailed: the types of events and kinds of alerts that are also mailed to contacts of the organization.
        purpose: of those contacts.
    """

    name: str
    sentence: str
    audience: frozenset[Role]
    defaults: Mapping[Role, Cadence]
    events: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
    must_reach: bool = False
    urgent: bool = False
    mailed: frozenset[str] = frozenset()
    purpose: Purpose = Purpose.BILLING

    def default(self, role: Role, *, inbox: bool, cadences: Mapping[Role, Cadence] | None = None) -> Cadence:
        """Return the default cadence of a role: in the inbox, or over any other channel.

        `cadences` are set by operators instead of the type's own defaults.
        """
        cadences = self.defaults if cadences is None else cadences
        if role not in cadences or role not in self.audience:
            return Cadence.OFF
        return Cadence.INSTANT if inbox else cadences[role]


def _all(cadence: Cadence, *roles: Role) -> dict[Role, Cadence]:
    return dict.fromkeys(roles, cadence)


_OWNER_AND_FINANCE = (Role.OWNER, Role.FINANCE)
_ALERT_ROLES = (Role.OWNER, Role.ADMIN)

TYPES: Sequence[NotificationType] = (
    NotificationType(
        name="subscription",
        sentence="The subscription has begun, was changed, or has ended.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        events=frozenset(f"subscription.{each}" for each in ("trialing", "active", "updated", "ended")),
        mailed=frozenset(f"subscription.{each}" for each in ("trialing", "active", "updated", "ended")),
    ),
    NotificationType(
        name="subscription_unpaid",
        sentence="A period of the subscription was not paid.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        mailed=frozenset({"subscription.past_due"}),
        events=frozenset({"subscription.past_due", "subscription.unpaid"}),
    ),
    NotificationType(
        name="invoice",
        sentence="An invoice was issued, is due again, or was given up.",
        audience=_PEOPLE,
        defaults=_all(_I, Role.FINANCE),
        mailed=frozenset({"invoice.finalized", "invoice.marked_uncollectible"}),
        events=frozenset({"invoice.finalized", "invoice.reopened", "invoice.marked_uncollectible"}),
    ),
    NotificationType(
        name="payment_succeeded",
        sentence="A payment has arrived.",
        audience=_PEOPLE,
        defaults=_all(_D, Role.FINANCE),
        events=frozenset({"payment.succeeded"}),
    ),
    NotificationType(
        name="payment_failed",
        sentence="A payment has failed.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        events=frozenset({"payment.failed"}),
        mailed=frozenset({"failed_payment"}),
        alerts=frozenset({"failed_payment"}),
    ),
    NotificationType(
        name="refund",
        sentence="A refund was made, or could not be made.",
        audience=_PEOPLE,
        defaults=_all(_D, Role.FINANCE),
        events=frozenset({"refund.succeeded", "refund.failed"}),
    ),
    NotificationType(
        name="chargeback",
        sentence="A payer's bank contests a payment, or has decided.",
        audience=_MONEY,
        defaults=_all(_I, Role.OWNER, Role.ADMIN, Role.FINANCE),
        must_reach=True,
        urgent=True,
        events=frozenset({"chargeback.won"}),
        alerts=frozenset(f"payment.dispute_{each}" for each in ("inquiry", "opened", "reopened", "lost")),
    ),
    NotificationType(
        name="risk_case",
        sentence="A case about acts of the organization was opened, waits for an answer, or was decided.",
        audience=_MONEY,
        defaults=_all(_I, Role.OWNER, Role.ADMIN, Role.FINANCE),
        must_reach=True,
        events=frozenset(f"risk.{each}" for each in ("case_opened", "information_requested", "case_decided")),
    ),
    NotificationType(
        name="payout",
        sentence="Earnings were paid out, or could not be.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        mailed=frozenset({"payout.paid", "payout.failed"}),
        events=frozenset({"payout.paid", "payout.failed"}),
    ),
    NotificationType(
        name="contract",
        sentence="A contract was proposed to the organization, accepted, or not accepted in time.",
        audience=_PEOPLE,
        defaults=_all(_I, Role.OWNER, Role.MEMBER),
        events=frozenset({"contract.proposed", "contract.accepted", "contract.expired"}),
    ),
    NotificationType(
        name="escrow",
        sentence="Work for an escrow was delivered, or the escrow is disputed or has ended.",
        audience=_PEOPLE,
        defaults={**_all(_D, Role.OWNER), **_all(_I, Role.MEMBER)},
        events=frozenset(
            f"escrow.{each}" for each in ("delivered", "disputed", "released", "refunded", "split", "expired")
        ),
    ),
    NotificationType(
        name="credits_expired",
        sentence="Credits have expired.",
        audience=_PEOPLE,
        defaults=_all(_W, Role.FINANCE),
        events=frozenset({"credit_lot.expired"}),
    ),
    NotificationType(
        name="purchase_approval",
        sentence="A purchase of an agent, a proposed payment policy or an emergency of a budget waits for a person.",
        audience=_MONEY,
        defaults=_all(_I, Role.OWNER, Role.ADMIN, Role.FINANCE),
        must_reach=True,
        alerts=frozenset({"approval_waiting", "emergency_waiting", "policy_waiting"}),
    ),
    NotificationType(
        name="credit_limit",
        sentence="A limit or the credits are nearly used up, or are used up.",
        audience=_PEOPLE,
        defaults=_all(_I, Role.OWNER, Role.ADMIN, Role.FINANCE),
        alerts=frozenset(
            {
                *("spend.threshold", "spend.burst", "spend.refused", "credits.exhausted"),
                *("credits.auto_topup_cap", "credits.auto_topup_failed", "credits.auto_topup_off"),
                *("low_credit_balance", "budget_80_percent", "free_quota", "reserve_low"),
            }
        ),
        mailed=frozenset({"budget_80_percent"}),
    ),
    NotificationType(
        name="webhook_endpoint_disabled",
        sentence="A webhook endpoint was disabled, and events wait.",
        audience=_MONEY,
        defaults=_all(_I, *_ALERT_ROLES),
        must_reach=True,
        mailed=frozenset({"webhook_endpoint.given_up"}),
        purpose=Purpose.SECURITY,
        alerts=frozenset({"webhook_endpoint.given_up"}),
    ),
    NotificationType(
        name="report",
        sentence="A report that one is a recipient of is ready.",
        audience=_PEOPLE | {Role.OPERATOR},
        defaults=_all(_I, *_PEOPLE, Role.OPERATOR),
        events=frozenset({"report.ready"}),
    ),
    NotificationType(
        name="alert_critical",
        sentence="An alert that cannot wait.",
        audience=RECIPIENTS,
        defaults=_all(_I, *_ALERT_ROLES, Role.OPERATOR),
        must_reach=True,
        urgent=True,
        mailed=frozenset({"payout.destination_changed"}),
        purpose=Purpose.SECURITY,
    ),
    NotificationType(
        name="alert_warning",
        sentence="An alert that somebody should look at.",
        audience=RECIPIENTS,
        defaults={**_all(_I, *_ALERT_ROLES), Role.OPERATOR: _I},
    ),
    NotificationType(
        name="alert_info",
        sentence="An alert that is good to know.",
        audience=RECIPIENTS,
        defaults={**_all(_D, *_ALERT_ROLES), Role.OPERATOR: _OFF},
        mailed=frozenset({"payout.destination_added"}),
        purpose=Purpose.SECURITY,
    ),
)

BY_NAME: Mapping[str, NotificationType] = {each.name: each for each in TYPES}
#: Type of events → type of notifications.
TYPE_BY_EVENT: Mapping[str, NotificationType] = {fact: each for each in TYPES for fact in each.events}
_BY_ALERT: Mapping[str, NotificationType] = {kind: each for each in TYPES for kind in each.alerts}

#: Event types with named recipients; the code that records the event notifies them.
EVENTS_WITH_NAMED_RECIPIENTS = frozenset({"report.ready"})
#: Kinds of alerts that repeat an event. The organization is notified of the event only, in its language.
ALERTS_COVERED_BY_EVENTS = frozenset({"payout.failed", "payment.refund_failed"})


def is_covered_by_alert(fact: str, data: Mapping[str, JSON]) -> bool:
    """Return whether an alert reports the same fact; for an invoice's charge it also names the next try."""
    return fact == "payment.failed" and data["invoice_id"] is not None


_MONEY_FIELDS = ("amount", "total", "due_amount", "price")
#: The maximum number of notifications that a digest lists.
MAX_LISTED = 50


#: The types with facts of `is_uninvited`.
TYPES_OF_UNINVITED_EVENTS = frozenset({"contract", "escrow"})


def is_uninvited(fact: str, data: Mapping[str, JSON]) -> bool:
    """Return whether an event goes to an organization that has not agreed to the contract.

    It is a signatory of another party's contract, or a payee that has not accepted.
    """
    role = data.get("role")
    return role == "signatory" or (role == "payee" and fact in {"contract.proposed", "contract.expired"})


def type_of_alert(kind: str, severity: str) -> NotificationType:
    """Return the type for an alert: that of its kind, else that of its severity."""
    return _BY_ALERT.get(kind) or BY_NAME[f"alert_{severity}"]


def types_for(role: Role) -> Sequence[NotificationType]:
    """Return the types that a role can get."""
    return [each for each in TYPES if role in each.audience]


def render_notification(
    kind: str, fact: str, subject: str, data: Mapping[str, JSON], language: str, formats: Formats
) -> MailText:
    """Render a notification.

    Args:
        kind: the type's name.
        fact: the type of event, or `alert`.
        subject: the id of what it is about.
        data: of the event; of an alert its kind, severity and detail.
        language: of `domain.common.mail.LANGUAGES`.
        formats: for the same language.
    """
    # Never raises: a row of an unknown type must not stop the others.
    values = defaultdict[str, str](str, {name: "" if value is None else str(value) for name, value in data.items()})
    texts = TEXTS[language]
    about = texts.phrases["about"].format(subject=subject)
    if kind == CODE:
        title, text = (part.format_map(values) for part in texts.notices[CODE])
        return MailText(subject=_line(title), paragraphs=(_line(text),))
    if fact == "alert":
        values["kind"] = title_of(values["kind"], language)
        subject = texts.severities.get(values["severity"], texts.severities["warning"])
        title, text = subject.format_map(values), values["detail"]
    elif fact not in TYPE_BY_EVENT:
        return MailText(subject=_line(fact), paragraphs=(about,))
    else:
        for name in _MONEY_FIELDS:
            if values.get(name) and values.get("currency"):
                values[name] = formats.money(values[name], values["currency"])
        title, text = (part.format_map(values) for part in texts.events[fact])
    return MailText(subject=_line(title), paragraphs=(_line(text), about))


def render_digest(texts: Collection[MailText], language: str, count: int) -> MailText:
    """Render a digest: a line for each of the first notifications, and the number of further ones."""
    texts_of = TEXTS[language]
    subject, text = (part.format(count=count) for part in texts_of.notices[DIGEST])
    lines = [f"{each.subject}. {each.paragraphs[0]}" for each in texts]
    more = [] if count <= len(lines) else [texts_of.phrases["more"].format(count=count - len(lines))]
    return MailText(subject=_line(subject), paragraphs=(text, *lines, *more))


def _line(text: str) -> str:
    """Return a text as one line: it may become a mail header, and contain a rule's name that a user has written."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:900]
