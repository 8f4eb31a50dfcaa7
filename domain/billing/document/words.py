"""The words of documents, by language. A new language needs a column here, in `LANGUAGES`, and in the formats."""

from collections.abc import Mapping

from domain.billing.document.content import LANGUAGES as LANGUAGES, DocumentKind

#: label → language → word.
_LABELS: Mapping[str, Mapping[str, str]] = {
    "invoice": {"en": "Invoice", "de": "Rechnung"},
    "receipt": {"en": "Receipt", "de": "Quittung"},
    "credit_note": {"en": "Credit note", "de": "Rechnungskorrektur"},
    "statement": {"en": "Statement (self-billing)", "de": "Gutschrift"},
    "statement_correction": {"en": "Correction of a statement (self-billing)", "de": "Korrektur einer Gutschrift"},
    "number": {"en": "Number", "de": "Nummer"},
    "issued_on": {"en": "Date", "de": "Datum"},
    "due_on": {"en": "Due", "de": "Fällig"},
    "paid_on": {"en": "Paid on", "de": "Bezahlt am"},
    "period": {"en": "Period", "de": "Zeitraum"},
    "corrected_reference": {"en": "Corrects", "de": "Korrigiert"},
    "payment_reference": {"en": "Payment", "de": "Zahlung"},
    "seller": {"en": "Seller", "de": "Verkäufer"},
    "buyer": {"en": "Billed to", "de": "Empfänger"},
    "creator": {"en": "Supplier", "de": "Leistender"},
    "platform": {"en": "Issued by", "de": "Aussteller"},
    "vat_id": {"en": "VAT ID", "de": "USt-IdNr."},
    "tax_number": {"en": "Tax number", "de": "Steuernummer"},
    "description": {"en": "Description", "de": "Bezeichnung"},
    "quantity": {"en": "Qty", "de": "Menge"},
    "unit": {"en": "Unit price", "de": "Einzelpreis"},
    "rate": {"en": "Tax", "de": "Steuer"},
    "amount": {"en": "Amount", "de": "Betrag"},
    "discount": {"en": "Discount", "de": "Rabatt"},
    "lines": {"en": "Sum of lines", "de": "Summe der Positionen"},
    "lines_with_tax": {"en": "Sum of lines, tax included", "de": "Summe der Positionen inkl. Steuer"},
    "granted": {"en": "Granted credits", "de": "Gewährtes Guthaben"},
    "taxed": {"en": "Credits, taxed when bought", "de": "Guthaben, beim Kauf versteuert"},
    "subtotal": {"en": "Subtotal without tax", "de": "Zwischensumme ohne Steuer"},
    "tax": {"en": "Tax {rate} on {base}", "de": "Steuer {rate} auf {base}"},
    "total": {"en": "Total", "de": "Gesamtbetrag"},
    "prepaid": {"en": "Paid with credits", "de": "Mit Guthaben bezahlt"},
    "paid": {"en": "Paid", "de": "Bezahlt"},
    "rounded": {"en": "Rounded off", "de": "Abgerundet"},
    "due": {"en": "Amount due", "de": "Zu zahlen"},
    "credited": {"en": "Amount credited", "de": "Gutgeschriebener Betrag"},
    "corrected": {"en": "Amount taken back", "de": "Zurückgenommener Betrag"},
    "earned_total": {"en": "Total earned", "de": "Einnahmen gesamt"},
    "account": {"en": "Account of the earnings", "de": "Konto der Einnahmen"},
    "opening": {"en": "Balance at the beginning", "de": "Stand zu Beginn"},
    "earned": {"en": "Earned", "de": "Eingenommen"},
    "taken_back": {"en": "Taken back", "de": "Zurückgenommen"},
    "converted": {"en": "Converted into credits", "de": "In Credits umgewandelt"},
    "paid_out": {"en": "Paid out", "de": "Ausgezahlt"},
    "waived": {"en": "Waived", "de": "Verzichtet"},
    "closing": {"en": "Balance at the end", "de": "Stand am Ende"},
    "page": {"en": "Page {page} of {pages}", "de": "Seite {page} von {pages}"},
    "continued": {"en": "continued", "de": "Fortsetzung"},
}

#: The required note on a tax of zero, by its category.
EXEMPTIONS: Mapping[str, Mapping[str, str]] = {
    "AE": {
        "en": "Reverse charge: the recipient owes the tax (Article 196 of Directive 2006/112/EC).",
        "de": "Steuerschuldnerschaft des Leistungsempfängers (Artikel 196 der Richtlinie 2006/112/EG).",
    },
    "E": {"en": "Exempt from tax.", "de": "Von der Steuer befreit."},
    "O": {"en": "Not subject to tax.", "de": "Nicht steuerbar."},
    "Z": {"en": "Taxed at zero percent.", "de": "Besteuert mit null Prozent."},
}

#: The note on an invoice, or a credit note, of a seller that charges no tax at all.
NO_TAX = {"en": "The seller charges no tax on this.", "de": "Der Verkäufer berechnet hierauf keine Steuer."}

#: The note on tax in a statement, by the values of `domain.billing.tax.self_billing.StatedTax`; empty if tax is
#: charged, because the statement shows its amount.
STATED_TAX: Mapping[str, Mapping[str, str]] = {
    "reverse_charge": EXEMPTIONS["AE"],
    "outside_scope": {
        "en": "Outside the scope of tax: the supplier is in another country, outside of the European Union. "
        "No tax is stated.",
        "de": "Nicht steuerbar: Der Leistende sitzt in einem anderen Land außerhalb der Europäischen Union. "
        "Es wird keine Steuer ausgewiesen.",
    },
    "not_registered": {
        "en": "No tax is stated: the supplier has no VAT number.",
        "de": "Es wird keine Steuer ausgewiesen: Der Leistende hat keine USt-IdNr.",
    },
    "no_profile": {
        "en": "No tax profile of the supplier is on file: no tax is stated.",
        "de": "Zum Leistenden liegen keine Steuerangaben vor: Es wird keine Steuer ausgewiesen.",
    },
    "not_stated": {
        "en": "No tax is stated: whether the supplier charges any, and at which rate, is not known here.",
        "de": "Es wird keine Steuer ausgewiesen: Ob und zu welchem Satz der Leistende sie berechnet, ist hier nicht "
        "bekannt.",
    },
}

#: The word for credits on a receipt, after their number.
CREDITS = {"en": "credits", "de": "Credits"}

#: The note that a receipt is not an invoice.
RECEIPT_NOTE = {
    "en": "This receipt is not an invoice. It shows no tax.",
    "de": "Diese Quittung ist keine Rechnung. Sie weist keine Steuer aus.",
}


def labels_of(language: str) -> dict[str, str]:
    """Return every label in a language."""
    return {label: words[language] for label, words in _LABELS.items()}


def title_of(kind: DocumentKind, language: str) -> str:
    """Return the title of a document."""
    return _LABELS[kind.value][language]
