"""The kinds of mail: who receives each, and its text by language. Pure: the caller writes amounts and days.

A mail is a kind with values. The values are short texts that the product makes itself: numbers, amounts, days, links.
They never contain text from strangers, and each is one line, so no value can inject a header.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from domain.common.mail import Formats, MailKind, Purpose, Written
from domain.common.text import is_storable

_LINE_BREAKS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Who receives a kind of mail, which values it takes, and its text by language."""

    purpose: Purpose
    #: The values that it takes; `amount` comes with `currency`, names that end in `_on` are days.
    takes: frozenset[str]
    #: Language → subject and paragraphs.
    words: Mapping[str, tuple[str, ...]]


def _kind(purpose: Purpose, takes: str, *, en: Sequence[str], de: Sequence[str]) -> Kind:
    return Kind(purpose=purpose, takes=frozenset(takes.split()), words={"en": tuple(en), "de": tuple(de)})


KINDS: Mapping[MailKind, Kind] = {
    MailKind.INVOICE_ISSUED: _kind(
        Purpose.BILLING,
        "number amount currency due_on",
        en=(
            "Invoice {number}",
            "Invoice {number} has been issued to your organization. {amount} is due on {due_on}.",
        ),
        de=(
            "Rechnung {number}",
            "Ihrer Organisation wurde die Rechnung {number} gestellt. Am {due_on} sind {amount} fällig.",
        ),
    ),
    MailKind.INVOICE_SETTLED: _kind(
        Purpose.BILLING,
        "number amount currency",
        en=(
            "Invoice {number}",
            "Invoice {number} over {amount} has been issued to your organization. "
            "It was paid in full with your credits, so nothing is due.",
        ),
        de=(
            "Rechnung {number}",
            "Ihrer Organisation wurde die Rechnung {number} über {amount} gestellt. "
            "Sie wurde vollständig mit Ihren Credits bezahlt; es ist nichts mehr fällig.",
        ),
    ),
    MailKind.RECEIPT_ISSUED: _kind(
        Purpose.BILLING,
        "number amount currency",
        en=(
            "Receipt {number}",
            "Your organization paid {amount}. The receipt {number}, which states the tax, is ready.",
        ),
        de=(
            "Quittung {number}",
            "Ihre Organisation hat {amount} bezahlt. Die Quittung {number}, die die Steuer ausweist, liegt bereit.",
        ),
    ),
    MailKind.RECEIPT_NOTE_ISSUED: _kind(
        Purpose.BILLING,
        "number amount currency",
        en=(
            "Credit note {number}",
            "{amount} of a payment was refunded to your organization. The credit note {number}, "
            "which corrects its tax, "
            "is ready.",
        ),
        de=(
            "Rechnungskorrektur {number}",
            "Von einer Zahlung sind {amount} an Ihre Organisation zurückgegangen. Die Rechnungskorrektur {number}, die "
            "deren Steuer zurücknimmt, liegt bereit.",
        ),
    ),
    MailKind.PAYMENT_FAILED: _kind(
        Purpose.BILLING,
        "number amount currency next_try_on",
        en=(
            "Payment for invoice {number} failed",
            "The payment of {amount} for invoice {number} failed. "
            "We will try again on {next_try_on}. Please check your stored payment method before then.",
        ),
        de=(
            "Zahlung für Rechnung {number} fehlgeschlagen",
            "Die Zahlung von {amount} für die Rechnung {number} ist fehlgeschlagen. "
            "Wir versuchen es am {next_try_on} erneut. Bitte prüfen Sie bis dahin Ihr hinterlegtes Zahlungsmittel.",
        ),
    ),
    MailKind.ACTION_REQUIRED: _kind(
        Purpose.BILLING,
        "number amount currency link",
        en=(
            "Please confirm the payment for invoice {number}",
            "Your bank asks you to confirm the payment of {amount} for invoice {number}. Please use this link:",
        ),
        de=(
            "Bitte bestätigen Sie die Zahlung für Rechnung {number}",
            "Ihre Bank bittet Sie, die Zahlung von {amount} für die Rechnung {number} zu bestätigen. "
            "Bitte verwenden Sie diesen Link:",
        ),
    ),
    MailKind.INVOICE_OVERDUE: _kind(
        Purpose.BILLING,
        "number amount currency due_on",
        en=(
            "Invoice {number} is not paid",
            "Of invoice {number}, which was due on {due_on}, {amount} is not paid. "
            "Please pay it, or store a payment method.",
        ),
        de=(
            "Rechnung {number} ist nicht bezahlt",
            "Von der Rechnung {number}, die am {due_on} fällig war, sind {amount} nicht bezahlt. "
            "Bitte zahlen Sie den Betrag oder hinterlegen Sie ein Zahlungsmittel.",
        ),
    ),
    MailKind.INVOICE_UNCOLLECTIBLE: _kind(
        Purpose.BILLING,
        "number amount currency",
        en=(
            "Invoice {number} could not be collected",
            "Of invoice {number}, {amount} could not be collected. We do not try again by ourselves; "
            "the amount is still owed.",
        ),
        de=(
            "Rechnung {number} konnte nicht eingezogen werden",
            "Von der Rechnung {number} konnten {amount} nicht eingezogen werden. Wir versuchen es nicht erneut; "
            "der Betrag ist weiterhin offen.",
        ),
    ),
    MailKind.PAYOUT_DESTINATION_CHANGED: _kind(
        Purpose.SECURITY,
        "held_until_on",
        en=(
            "The destination of your payouts is new or was changed",
            "The account that your organization's payouts go to was added or changed. "
            "Payouts are held until {held_until_on}.",
            "If nobody of your organization did this, revoke the key that was used and contact us at once.",
        ),
        de=(
            "Das Ziel Ihrer Auszahlungen ist neu oder wurde geändert",
            "Das Konto, auf das Auszahlungen Ihrer Organisation gehen, wurde hinzugefügt oder geändert. "
            "Auszahlungen werden bis zum {held_until_on} angehalten.",
            "Wenn das niemand aus Ihrer Organisation war, widerrufen Sie den verwendeten Schlüssel "
            "und wenden Sie sich sofort an uns.",
        ),
    ),
    MailKind.PAYOUT_SENT: _kind(
        Purpose.BILLING,
        "amount currency",
        en=(
            "A payout is on its way",
            "A payout of {amount} was sent to your payout account. How long it takes from there is up to the bank.",
        ),
        de=(
            "Eine Auszahlung ist unterwegs",
            "Eine Auszahlung von {amount} wurde an Ihr Auszahlungskonto gesendet. "
            "Wie lange sie von dort an dauert, liegt bei der Bank.",
        ),
    ),
    MailKind.PAYOUT_FAILED: _kind(
        Purpose.BILLING,
        "amount currency",
        en=(
            "A payout failed",
            "The payout of {amount} failed. The amount is back among your earnings. Please check your payout account.",
        ),
        de=(
            "Eine Auszahlung ist fehlgeschlagen",
            "Die Auszahlung von {amount} ist fehlgeschlagen. Der Betrag steht wieder bei Ihren Einnahmen. "
            "Bitte prüfen Sie Ihr Auszahlungskonto.",
        ),
    ),
    MailKind.EARNINGS_RECOVERED: _kind(
        Purpose.BILLING,
        "amount currency",
        en=(
            "Earnings were taken back",
            "A payment that your agents had earned from was charged back or refunded. {amount} of your earnings were "
            "taken back for it. Please look at your alerts for details.",
        ),
        de=(
            "Einnahmen wurden zurückgebucht",
            "Eine Zahlung, an der Ihre Agenten verdient hatten, wurde zurückgebucht oder erstattet. Dafür wurden "
            "{amount} Ihrer Einnahmen zurückgenommen. Einzelheiten finden Sie in Ihren Meldungen.",
        ),
    ),
    MailKind.STATEMENT_READY: _kind(
        Purpose.BILLING,
        "month",
        en=("Your statement for {month}", "The statement of your earnings for {month} is ready."),
        de=("Ihre Abrechnung für {month}", "Die Abrechnung Ihrer Einnahmen für {month} liegt bereit."),
    ),
    MailKind.SUBSCRIPTION_CONFIRMED: _kind(
        Purpose.BILLING,
        "plan amount currency",
        en=(
            "Your subscription is confirmed",
            "Your organization has the plan {plan} for {amount}. It renews by itself until it is cancelled.",
        ),
        de=(
            "Ihr Abonnement ist bestätigt",
            "Ihre Organisation hat den Tarif {plan} für {amount}. Er verlängert sich, bis er gekündigt wird.",
        ),
    ),
    MailKind.SUBSCRIPTION_CHANGED: _kind(
        Purpose.BILLING,
        "plan amount currency",
        en=(
            "Your subscription was changed",
            "Your organization now has the plan {plan} for {amount}. It renews by itself until it is cancelled.",
        ),
        de=(
            "Ihr Abonnement wurde geändert",
            "Ihre Organisation hat jetzt den Tarif {plan} für {amount}. Er verlängert sich, bis er gekündigt wird.",
        ),
    ),
    MailKind.SUBSCRIPTION_RESUMED: _kind(
        Purpose.BILLING,
        "plan next_plan amount currency renews_on",
        en=(
            "Your subscription goes on",
            "The subscription of your organization to the plan {plan} does not end. It renews on {renews_on} with the "
            "plan {next_plan} for {amount}, and then by itself until it is cancelled.",
        ),
        de=(
            "Ihr Abonnement läuft weiter",
            "Das Abonnement Ihrer Organisation für den Tarif {plan} endet nicht. Es verlängert sich am {renews_on} mit "
            "dem Tarif {next_plan} für {amount} und danach, bis es gekündigt wird.",
        ),
    ),
    MailKind.SUBSCRIPTION_CANCELLED: _kind(
        Purpose.BILLING,
        "plan ends_on",
        en=(
            "Your subscription was cancelled",
            "The subscription of your organization to the plan {plan} was cancelled. It ends on {ends_on}.",
        ),
        de=(
            "Ihr Abonnement wurde gekündigt",
            "Das Abonnement Ihrer Organisation für den Tarif {plan} wurde gekündigt. Es endet am {ends_on}.",
        ),
    ),
    MailKind.SPEND_LIMIT_NEAR: _kind(
        Purpose.BILLING,
        "control percent",
        en=(
            "A spending limit is nearly reached",
            "{percent}% of a limit of your organization's spend control {control} is spent or reserved. "
            "Please look at your alerts for details.",
        ),
        de=(
            "Ein Ausgabenlimit ist fast erreicht",
            "Von einem Limit der Ausgabenkontrolle {control} Ihrer Organisation sind {percent} % ausgegeben oder "
            "reserviert. Einzelheiten finden Sie in Ihren Meldungen.",
        ),
    ),
    MailKind.SUBSCRIPTION_PAST_DUE: _kind(
        Purpose.BILLING,
        "plan amount currency",
        en=(
            "Your subscription is past due",
            "The payment of {amount} for the plan {plan} has not arrived. Please check your stored payment method.",
        ),
        de=(
            "Ihr Abonnement ist überfällig",
            "Die Zahlung von {amount} für den Tarif {plan} ist nicht eingegangen. "
            "Bitte prüfen Sie Ihr hinterlegtes Zahlungsmittel.",
        ),
    ),
    MailKind.UPGRADE_NOT_PAID: _kind(
        Purpose.BILLING,
        "plan amount currency",
        en=(
            "Your subscription was not changed",
            "Your organization ordered the plan {plan} for {amount}, and the payment failed. "
            "It keeps the plan that it has. Please check your stored payment method, and order the change again.",
        ),
        de=(
            "Ihr Abonnement wurde nicht geändert",
            "Ihre Organisation hat den Tarif {plan} für {amount} bestellt, und die Zahlung ist fehlgeschlagen. "
            "Sie behält ihren bisherigen Tarif. Bitte prüfen Sie Ihr hinterlegtes Zahlungsmittel und bestellen Sie "
            "die Änderung erneut.",
        ),
    ),
    MailKind.AGENT_NOT_RENEWED: _kind(
        Purpose.BILLING,
        "agent amount currency ends_on",
        en=(
            "An agent was not renewed",
            "The next month of the agent {agent} could not be paid with {amount}. What was paid ends on {ends_on}. "
            "While it still renews, we try again once a day. Please check your credits or your stored payment method.",
        ),
        de=(
            "Ein Agent wurde nicht verlängert",
            "Der nächste Monat des Agenten {agent} konnte nicht mit {amount} bezahlt werden. Bezahlt ist er bis zum "
            "{ends_on}. Solange er sich verlängert, versuchen wir es täglich erneut. Bitte prüfen Sie Ihre Credits "
            "oder Ihr hinterlegtes Zahlungsmittel.",
        ),
    ),
    MailKind.TRIAL_ENDS: _kind(
        Purpose.BILLING,
        "plan amount currency ends_on",
        en=(
            "Your trial ends on {ends_on}",
            "The trial of the plan {plan} ends on {ends_on}. From then on it costs {amount} unless you cancel it.",
        ),
        de=(
            "Ihr Probezeitraum endet am {ends_on}",
            "Der Probezeitraum des Tarifs {plan} endet am {ends_on}. "
            "Danach kostet er {amount}, wenn Sie ihn nicht kündigen.",
        ),
    ),
    MailKind.WEBHOOK_ENDPOINT_DISABLED: _kind(
        Purpose.SECURITY,
        "endpoint disabled_on",
        en=(
            "A webhook endpoint was disabled",
            "The webhook endpoint {endpoint} was disabled on {disabled_on}, because its receiver is gone or took "
            "nothing for days. Its events wait until it is enabled again.",
        ),
        de=(
            "Ein Webhook-Endpunkt wurde abgeschaltet",
            "Der Webhook-Endpunkt {endpoint} wurde am {disabled_on} abgeschaltet, weil sein Empfänger nicht mehr da "
            "ist oder tagelang nichts angenommen hat. Seine Ereignisse warten, bis er wieder eingeschaltet wird.",
        ),
    ),
    MailKind.INVITATION: _kind(
        Purpose.SECURITY,
        "organization role until_on",
        en=(
            "You are invited to {organization}",
            "You are invited to {organization} with the role {role}. The link is for you alone. It is valid until "
            "{until_on}, once. After that you sign in with this address.",
            "If you do not know who invited you, ignore this mail.",
        ),
        de=(
            "Sie sind eingeladen zu {organization}",
            "Sie sind eingeladen zu {organization}, mit der Rolle {role}. Der Link ist nur für Sie. Er gilt bis zum "
            "{until_on}, ein Mal. Danach melden Sie sich mit dieser Adresse an.",
            "Wenn Sie nicht wissen, wer Sie eingeladen hat, ignorieren Sie diese Mail.",
        ),
    ),
    MailKind.SIGN_IN: _kind(
        Purpose.SECURITY,
        "organization minutes",
        en=(
            "Sign in to {organization}",
            "Somebody wants to sign in to {organization} with your address. The link is valid for {minutes} minutes, "
            "once.",
            "If it was not you, ignore this mail: without the link nobody can sign in.",
        ),
        de=(
            "Anmelden bei {organization}",
            "Jemand möchte sich mit Ihrer Adresse bei {organization} anmelden. Der Link gilt {minutes} Minuten, "
            "ein Mal.",
            "Wenn Sie das nicht waren, ignorieren Sie diese Mail: ohne den Link kann sich niemand anmelden.",
        ),
    ),
    MailKind.CONTACTS_CHANGED: _kind(
        Purpose.SECURITY,
        "changed_by",
        en=(
            "The contacts of your organization were changed",
            "{changed_by} changed the addresses that mails about billing and security are sent to. "
            "This mail went to the addresses from before.",
            "If this should not have happened, revoke the key that was used and contact us at once.",
        ),
        de=(
            "Die Kontakte Ihrer Organisation wurden geändert",
            "{changed_by} hat die Adressen geändert, an die Mails zu Abrechnung und Sicherheit gehen. "
            "Diese Mail ging an die bisherigen Adressen.",
            "Wenn das nicht geschehen sollte, widerrufen Sie den verwendeten Schlüssel "
            "und wenden Sie sich sofort an uns.",
        ),
    ),
}

#: Defaults of values for mails that were queued before their kind had them.
EARLIER: Mapping[MailKind, Kind] = {
    MailKind.PAYMENT_FAILED: _kind(
        Purpose.BILLING,
        "number amount currency",
        en=(
            "Payment for invoice {number} failed",
            "The payment of {amount} for invoice {number} failed. "
            "We will try again. Please check your stored payment method.",
        ),
        de=(
            "Zahlung für Rechnung {number} fehlgeschlagen",
            "Die Zahlung von {amount} für die Rechnung {number} ist fehlgeschlagen. "
            "Wir versuchen es erneut. Bitte prüfen Sie Ihr hinterlegtes Zahlungsmittel.",
        ),
    ),
}


def purpose_of(kind: MailKind) -> Purpose:
    """Return the purpose of a kind of mail, which decides about its recipients."""
    return KINDS[kind].purpose


def checked_values(kind: MailKind, data: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a mail, checked against its kind; each is one line, and any kind may have a `link`.

    Raises:
        ValueError: one is missing, unknown or has several lines, or the link is not of the web.
    """
    wanted = KINDS[kind].takes
    if data.keys() - {"link"} != wanted - {"link"} or not wanted <= data.keys():
        raise ValueError(f"a mail of the kind {kind} takes {sorted(wanted)}, not {sorted(data)}")
    for name, value in data.items():
        if not value.strip() or len(value) > 2000 or _LINE_BREAKS.search(value) or not is_storable(value):
            raise ValueError(f"{name} of a mail must be one line of text")
    if "link" in data and (urlsplit(data["link"]).scheme not in {"https", "http"} or " " in data["link"]):
        raise ValueError("the link of a mail must be a URL of the web")
    return dict(data)


def written(kind: MailKind, data: Mapping[str, str], language: str, formats: Formats) -> Written:
    """Write the text of a mail; `formats` is for the same language."""
    values = {
        name: formats.day(value) if name.endswith("_on") else formats.month(value) if name == "month" else value
        for name, value in data.items()
    }
    if "amount" in data:
        values["amount"] = formats.money(data["amount"], data["currency"])
    known = KINDS[kind] if KINDS[kind].takes <= data.keys() else EARLIER[kind]
    subject, *paragraphs = known.words[language]
    return Written(
        # One line, whatever a value holds: a header ends where its line ends.
        subject=" ".join(subject.format_map(values).split()),
        paragraphs=tuple(paragraph.format_map(values) for paragraph in paragraphs),
        link=data.get("link"),
    )
