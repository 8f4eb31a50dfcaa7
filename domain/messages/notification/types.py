"""The types of notifications: their events and alerts, their audience, their default cadence, and their texts.

A type is for events of the outbox, or for alerts. A notification of an event contains only data of the event, so
nothing that `GET /events` would not show. A notification of an alert contains the alert's detail.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from domain.common.access import Role
from domain.common.mail import Formats, Purpose, Written
from domain.messages.alert.titles import title_of
from domain.messages.events import JSON
from domain.messages.notification.due import Cadence

_MONEY = frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE})
_PEOPLE = _MONEY | {Role.MEMBER, Role.AUDITOR}
_I, _D, _W, _OFF = Cadence.INSTANT, Cadence.DAILY, Cadence.WEEKLY, Cadence.OFF
#: The roles that get notifications. Agents and validators are machines, which use webhooks.
RECIPIENTS = _PEOPLE | {Role.OPERATOR, Role.ARBITER, Role.ACCOUNTANT}

#: Types without preferences: the verification code of a channel, and digests.
CODE, DIGEST = "channel_code", "digest"

#: Language → subject and paragraph.
Words = Mapping[str, tuple[str, str]]


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
        facts: types of events → their texts.
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
    facts: Mapping[str, Words] = field(default_factory=dict)
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


def _words(en: str, en_text: str, de: str, de_text: str) -> Words:
    return {"en": (en, en_text), "de": (de, de_text)}


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
        facts={
            "subscription.trialing": _words(
                "Trial of {plan}",
                "A trial of the plan {plan} has begun.",
                "Testphase von {plan}",
                "Eine Testphase des Tarifs {plan} hat begonnen.",
            ),
            "subscription.active": _words(
                "Subscription to {plan}",
                "The subscription to the plan {plan} is paid for, at {price} a {interval}.",
                "Abonnement von {plan}",
                "Das Abonnement des Tarifs {plan} ist bezahlt, zu {price} je Zeitraum.",
            ),
            "subscription.updated": _words(
                "Subscription to {plan} changed",
                "The subscription was changed, or a new period has begun: the plan {plan} at {price} a {interval}.",
                "Abonnement von {plan} geändert",
                "Das Abonnement wurde geändert, oder ein neuer Zeitraum hat begonnen: Tarif {plan} zu {price} je "
                "Zeitraum.",
            ),
            "subscription.ended": _words(
                "Subscription to {plan} ended",
                "The subscription to the plan {plan} is over.",
                "Abonnement von {plan} beendet",
                "Das Abonnement des Tarifs {plan} ist beendet.",
            ),
        },
        mailed=frozenset(f"subscription.{each}" for each in ("trialing", "active", "updated", "ended")),
    ),
    NotificationType(
        name="subscription_unpaid",
        sentence="A period of the subscription was not paid.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        mailed=frozenset({"subscription.past_due"}),
        facts={
            name: _words(
                "Subscription to {plan} is not paid",
                "A period of the subscription to the plan {plan} was not paid: {price}.",
                "Abonnement von {plan} ist nicht bezahlt",
                "Ein Zeitraum des Abonnements des Tarifs {plan} wurde nicht bezahlt: {price}.",
            )
            for name in ("subscription.past_due", "subscription.unpaid")
        },
    ),
    NotificationType(
        name="invoice",
        sentence="An invoice was issued, is due again, or was given up.",
        audience=_PEOPLE,
        defaults=_all(_I, Role.FINANCE),
        mailed=frozenset({"invoice.finalized", "invoice.marked_uncollectible"}),
        facts={
            "invoice.finalized": _words(
                "Invoice over {total}",
                "An invoice over {total} was issued; {due_amount} is to be paid.",
                "Rechnung über {total}",
                "Eine Rechnung über {total} wurde gestellt; {due_amount} ist zu zahlen.",
            ),
            "invoice.reopened": _words(
                "Invoice over {total} is due again",
                "Of an invoice over {total}, {due_amount} is due again.",
                "Rechnung über {total} ist wieder fällig",
                "Von einer Rechnung über {total} ist {due_amount} wieder fällig.",
            ),
            "invoice.marked_uncollectible": _words(
                "Invoice over {total} given up",
                "What was due of an invoice over {total} was given up as uncollectible.",
                "Rechnung über {total} ausgebucht",
                "Der offene Betrag einer Rechnung über {total} wurde als uneinbringlich ausgebucht.",
            ),
        },
    ),
    NotificationType(
        name="payment_succeeded",
        sentence="A payment has arrived.",
        audience=_PEOPLE,
        defaults=_all(_D, Role.FINANCE),
        facts={
            "payment.succeeded": _words(
                "Payment of {amount}",
                "A payment of {amount} has arrived.",
                "Zahlung über {amount}",
                "Eine Zahlung über {amount} ist eingegangen.",
            ),
        },
    ),
    NotificationType(
        name="payment_failed",
        sentence="A payment has failed.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        facts={
            "payment.failed": _words(
                "Payment of {amount} failed",
                "A payment of {amount} has failed. Check the payment method.",
                "Zahlung über {amount} fehlgeschlagen",
                "Eine Zahlung über {amount} ist fehlgeschlagen. Bitte prüfen Sie das Zahlungsmittel.",
            ),
        },
        mailed=frozenset({"failed_payment"}),
        alerts=frozenset({"failed_payment"}),
    ),
    NotificationType(
        name="refund",
        sentence="A refund was made, or could not be made.",
        audience=_PEOPLE,
        defaults=_all(_D, Role.FINANCE),
        facts={
            "refund.succeeded": _words(
                "Refund of {amount}",
                "{amount} was refunded.",
                "Erstattung von {amount}",
                "{amount} wurde erstattet.",
            ),
            "refund.failed": _words(
                "Refund of {amount} failed",
                "A refund of {amount} could not be made.",
                "Erstattung von {amount} fehlgeschlagen",
                "Eine Erstattung von {amount} konnte nicht ausgeführt werden.",
            ),
        },
    ),
    NotificationType(
        name="chargeback",
        sentence="A payer's bank contests a payment, or has decided.",
        audience=_MONEY,
        defaults=_all(_I, Role.OWNER, Role.ADMIN, Role.FINANCE),
        must_reach=True,
        urgent=True,
        facts={
            "chargeback.won": _words(
                "Chargeback over {amount} won",
                "The chargeback over {amount} was won.",
                "Rückbelastung über {amount} gewonnen",
                "Die Rückbelastung über {amount} wurde zu Ihren Gunsten entschieden.",
            ),
        },
        alerts=frozenset(f"payment.dispute_{each}" for each in ("inquiry", "opened", "reopened", "lost")),
    ),
    NotificationType(
        name="payout",
        sentence="Earnings were paid out, or could not be.",
        audience=_PEOPLE,
        defaults=_all(_I, *_OWNER_AND_FINANCE),
        mailed=frozenset({"payout.paid", "payout.failed"}),
        facts={
            "payout.paid": _words(
                "Payout of {amount}",
                "A payout of {amount} was sent to your account.",
                "Auszahlung über {amount}",
                "Eine Auszahlung über {amount} wurde auf Ihr Konto überwiesen.",
            ),
            "payout.failed": _words(
                "Payout of {amount} failed",
                "A payout of {amount} was not sent; the money is in the earnings again.",
                "Auszahlung über {amount} fehlgeschlagen",
                "Eine Auszahlung über {amount} wurde nicht gesendet; das Geld ist wieder im Guthaben der Einnahmen.",
            ),
        },
    ),
    NotificationType(
        name="contract",
        sentence="A contract was proposed to the organization, accepted, or not accepted in time.",
        audience=_PEOPLE,
        defaults=_all(_I, Role.OWNER, Role.MEMBER),
        facts={
            "contract.proposed": _words(
                "Contract over {price} proposed",
                "A contract over {price} was proposed and waits to be accepted.",
                "Vertrag über {price} vorgeschlagen",
                "Ein Vertrag über {price} wurde vorgeschlagen und wartet auf die Annahme.",
            ),
            "contract.accepted": _words(
                "Contract over {price} accepted",
                "A contract over {price} was accepted.",
                "Vertrag über {price} angenommen",
                "Ein Vertrag über {price} wurde angenommen.",
            ),
            "contract.expired": _words(
                "Contract over {price} expired",
                "A contract over {price} was not accepted in time. It cannot be accepted any more.",
                "Vertrag über {price} verfallen",
                "Ein Vertrag über {price} wurde nicht rechtzeitig angenommen. Er kann nicht mehr angenommen werden.",
            ),
        },
    ),
    NotificationType(
        name="escrow",
        sentence="Work for an escrow was delivered, or the escrow is disputed or has ended.",
        audience=_PEOPLE,
        defaults={**_all(_D, Role.OWNER), **_all(_I, Role.MEMBER)},
        facts={
            "escrow.delivered": _words(
                "Work delivered for {amount}",
                "Work was delivered for the escrow of {amount}.",
                "Arbeit für {amount} geliefert",
                "Für die Treuhand über {amount} wurde Arbeit geliefert.",
            ),
            **{
                f"escrow.{state}": _words(
                    f"Escrow of {{amount}} {en}",
                    f"The escrow of {{amount}} {en_text}.",
                    f"Treuhand über {{amount}} {de}",
                    f"Die Treuhand über {{amount}} {de_text}.",
                )
                for state, en, en_text, de, de_text in (
                    ("disputed", "disputed", "is disputed", "strittig", "ist strittig"),
                    ("released", "released", "was released", "ausgezahlt", "wurde ausgezahlt"),
                    ("refunded", "refunded", "was refunded", "erstattet", "wurde erstattet"),
                    ("split", "split", "was split", "geteilt", "wurde geteilt"),
                    ("expired", "expired", "has expired", "abgelaufen", "ist abgelaufen"),
                )
            },
        },
    ),
    NotificationType(
        name="credits_expired",
        sentence="Credits have expired.",
        audience=_PEOPLE,
        defaults=_all(_W, Role.FINANCE),
        facts={
            "credit_lot.expired": _words(
                "{amount} credits expired",
                "{amount} credits have expired.",
                "{amount} Credits verfallen",
                "{amount} Credits sind verfallen.",
            ),
        },
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
        facts={
            "report.ready": _words(
                "Report of {period} is ready",
                "The report of {period} is in the console under Reports, version {version}.",
                "Bericht über {period} ist fertig",
                "Der Bericht über {period} steht in der Konsole unter Berichte, Fassung {version}.",
            ),
        },
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
BY_FACT: Mapping[str, NotificationType] = {fact: each for each in TYPES for fact in each.facts}
_BY_ALERT: Mapping[str, NotificationType] = {kind: each for each in TYPES for kind in each.alerts}

#: Types of events whose recipients are named; whoever records the event notifies them.
TOLD_DIRECTLY = frozenset({"report.ready"})
#: Kinds of alerts with an event about the same fact. The organization is notified of the event only, in its language.
TOLD_BY_EVENT = frozenset({"payout.failed", "payment.refund_failed"})


def is_covered_by_alert(fact: str, data: Mapping[str, JSON]) -> bool:
    """Return whether an alert notifies of the event's fact; for a charge of an invoice it also has the next try."""
    return fact == "payment.failed" and data["invoice_id"] is not None


_MONEY_FIELDS = ("amount", "total", "due_amount", "price")
_ALERT = {
    "critical": _words("Critical: {kind}", "{detail}", "Kritisch: {kind}", "{detail}"),
    "warning": _words("Warning: {kind}", "{detail}", "Warnung: {kind}", "{detail}"),
    "info": _words("Notice: {kind}", "{detail}", "Hinweis: {kind}", "{detail}"),
}
_ABOUT = {"en": "It is about {subject}.", "de": "Es geht um {subject}."}
_CODE = _words(
    "Your code is {code}",
    "{code} is the code that verifies this channel for notifications. It is good for 30 minutes. If you "
    "did not ask for it, ignore this message.",
    "Ihr Code lautet {code}",
    "{code} ist der Code, der diesen Kanal für Benachrichtigungen bestätigt. Er gilt 30 Minuten. Wenn Sie "
    "ihn nicht angefordert haben, ignorieren Sie diese Nachricht.",
)
_DIGEST = _words("{count} notifications", "What happened:", "{count} Benachrichtigungen", "Was geschehen ist:")
_MORE = {"en": "And {count} more, which your inbox has.", "de": "Und {count} weitere, die Ihr Posteingang enthält."}
#: The maximum number of notifications that a digest lists.
SPELT_OUT = 50


#: The types with facts of `is_uninvited`.
UNINVITED = frozenset({"contract", "escrow"})


def is_uninvited(fact: str, data: Mapping[str, JSON]) -> bool:
    """Return whether a fact comes to an organization that has not agreed to be told.

    It is a signatory of somebody else's contract, or a payee that has not accepted the contract.
    """
    role = data.get("role")
    return role == "signatory" or (role == "payee" and fact in {"contract.proposed", "contract.expired"})


def type_of_alert(kind: str, severity: str) -> NotificationType:
    """Return the type for an alert: its kind's own, or that of its severity."""
    return _BY_ALERT.get(kind) or BY_NAME[f"alert_{severity}"]


def types_for(role: Role) -> Sequence[NotificationType]:
    """Return the types that a role can get."""
    return [each for each in TYPES if role in each.audience]


def written(kind: str, fact: str, subject: str, data: Mapping[str, JSON], language: str, formats: Formats) -> Written:
    """Write the text of a notification.

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
    if kind == CODE:
        words = _CODE
    elif fact == "alert":
        words = _ALERT.get(values["severity"], _ALERT["warning"])
        values["kind"] = title_of(values["kind"], language)
        return Written(
            subject=_line(words[language][0].format_map(values)),
            paragraphs=(_line(values["detail"]), _ABOUT[language].format(subject=subject)),
        )
    elif fact not in BY_FACT:
        return Written(subject=_line(fact), paragraphs=(_ABOUT[language].format(subject=subject),))
    else:
        words = BY_FACT[fact].facts[fact]
        for name in _MONEY_FIELDS:
            if values.get(name) and values.get("currency"):
                values[name] = formats.money(values[name], values["currency"])
    title, text = (each.format_map(values) for each in words[language])
    about = () if kind == CODE else (_ABOUT[language].format(subject=subject),)
    return Written(subject=_line(title), paragraphs=(_line(text), *about))


def written_together(texts: Collection[Written], language: str, count: int) -> Written:
    """Write a digest: a line for each of the first notifications, and how many more there are."""
    subject, text = (each.format_map({"count": count}) for each in _DIGEST[language])
    lines = [f"{each.subject}. {each.paragraphs[0]}" for each in texts]
    more = [] if count <= len(lines) else [_MORE[language].format_map({"count": count - len(lines)})]
    return Written(subject=_line(subject), paragraphs=(text, *lines, *more))


def _line(text: str) -> str:
    """Return a text as one line: it may become a mail header, and contain a rule's name that a user has written."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:900]
