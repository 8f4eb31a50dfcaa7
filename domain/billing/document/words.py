"""The words of documents, by language. A new language needs words here and in `LANGUAGES`, texts, and formats."""

from collections.abc import Mapping

from domain.billing.document.content import DocumentKind

#: label → language → word.
_LABELS: Mapping[str, Mapping[str, str]] = {
    "invoice": {"en": "Invoice", "de": "Rechnung", "fr": "Facture", "es": "Factura"},
    "receipt": {"en": "Receipt", "de": "Quittung", "fr": "Reçu", "es": "Recibo"},
    "credit_note": {"en": "Credit note", "de": "Rechnungskorrektur", "fr": "Avoir", "es": "Factura rectificativa"},
    "statement": {
        "en": "Statement (self-billing)",
        "de": "Gutschrift",
        "fr": "Facture (autofacturation)",
        "es": "Factura (facturación por el destinatario)",
    },
    "statement_correction": {
        "en": "Correction of a statement (self-billing)",
        "de": "Korrektur einer Gutschrift",
        "fr": "Avoir (autofacturation)",
        "es": "Factura rectificativa (facturación por el destinatario)",
    },
    "number": {"en": "Number", "de": "Nummer", "fr": "Numéro", "es": "Número"},
    "issued_on": {"en": "Date", "de": "Datum", "fr": "Date", "es": "Fecha"},
    "due_on": {"en": "Due", "de": "Fällig", "fr": "Échéance", "es": "Vencimiento"},
    "paid_on": {"en": "Paid on", "de": "Bezahlt am", "fr": "Payée le", "es": "Pagada el"},
    "period": {"en": "Period", "de": "Zeitraum", "fr": "Période", "es": "Período"},
    "corrected_reference": {"en": "Corrects", "de": "Korrigiert", "fr": "Rectifie", "es": "Rectifica"},
    "payment_reference": {"en": "Payment", "de": "Zahlung", "fr": "Paiement", "es": "Pago"},
    "seller": {"en": "Seller", "de": "Verkäufer", "fr": "Vendeur", "es": "Vendedor"},
    "buyer": {"en": "Billed to", "de": "Empfänger", "fr": "Facturé à", "es": "Facturado a"},
    "creator": {"en": "Supplier", "de": "Leistender", "fr": "Fournisseur", "es": "Proveedor"},
    "platform": {"en": "Issued by", "de": "Aussteller", "fr": "Émis par", "es": "Emitido por"},
    "vat_id": {"en": "VAT ID", "de": "USt-IdNr.", "fr": "N° de TVA", "es": "NIF-IVA"},
    "tax_number": {"en": "Tax number", "de": "Steuernummer", "fr": "N° fiscal", "es": "N.º fiscal"},
    "description": {"en": "Description", "de": "Bezeichnung", "fr": "Désignation", "es": "Descripción"},
    "quantity": {"en": "Qty", "de": "Menge", "fr": "Qté", "es": "Cant."},
    "unit": {"en": "Unit price", "de": "Einzelpreis", "fr": "Prix unitaire", "es": "Precio unitario"},
    "rate": {"en": "Tax", "de": "Steuer", "fr": "Taxe", "es": "Impuesto"},
    "amount": {"en": "Amount", "de": "Betrag", "fr": "Montant", "es": "Importe"},
    "discount": {"en": "Discount", "de": "Rabatt", "fr": "Remise", "es": "Descuento"},
    "lines": {"en": "Sum of lines", "de": "Summe der Positionen", "fr": "Total des lignes", "es": "Suma de las líneas"},
    "lines_with_tax": {
        "en": "Sum of lines, tax included",
        "de": "Summe der Positionen inkl. Steuer",
        "fr": "Total des lignes, taxes comprises",
        "es": "Suma de las líneas, impuestos incluidos",
    },
    "granted": {
        "en": "Granted credits",
        "de": "Gewährtes Guthaben",
        "fr": "Crédits offerts",
        "es": "Créditos concedidos",
    },
    "taxed": {
        "en": "Credits, taxed when bought",
        "de": "Guthaben, beim Kauf versteuert",
        "fr": "Crédits, taxés à l'achat",
        "es": "Créditos, gravados en la compra",
    },
    "subtotal": {
        "en": "Subtotal without tax",
        "de": "Zwischensumme ohne Steuer",
        "fr": "Sous-total hors taxes",
        "es": "Subtotal sin impuestos",
    },
    "tax": {
        "en": "Tax {rate} on {base}",
        "de": "Steuer {rate} auf {base}",
        "fr": "Taxe {rate} sur {base}",
        "es": "Impuesto {rate} sobre {base}",
    },
    "total": {"en": "Total", "de": "Gesamtbetrag", "fr": "Total", "es": "Total"},
    "prepaid": {
        "en": "Paid with credits",
        "de": "Mit Guthaben bezahlt",
        "fr": "Payé avec des crédits",
        "es": "Pagado con créditos",
    },
    "paid": {"en": "Paid", "de": "Bezahlt", "fr": "Payé", "es": "Pagado"},
    "rounded": {"en": "Rounded off", "de": "Abgerundet", "fr": "Arrondi", "es": "Redondeo"},
    "due": {"en": "Amount due", "de": "Zu zahlen", "fr": "Montant à payer", "es": "Importe a pagar"},
    "credited": {
        "en": "Amount credited",
        "de": "Gutgeschriebener Betrag",
        "fr": "Montant crédité",
        "es": "Importe abonado",
    },
    "corrected": {
        "en": "Amount taken back",
        "de": "Zurückgenommener Betrag",
        "fr": "Montant repris",
        "es": "Importe rectificado",
    },
    "earned_total": {
        "en": "Total earned",
        "de": "Einnahmen gesamt",
        "fr": "Total des revenus",
        "es": "Total de ingresos",
    },
    "account": {
        "en": "Account of the earnings",
        "de": "Konto der Einnahmen",
        "fr": "Compte des revenus",
        "es": "Cuenta de ingresos",
    },
    "opening": {
        "en": "Balance at the beginning",
        "de": "Stand zu Beginn",
        "fr": "Solde initial",
        "es": "Saldo inicial",
    },
    "earned": {"en": "Earned", "de": "Eingenommen", "fr": "Revenus", "es": "Ingresos"},
    "taken_back": {"en": "Taken back", "de": "Zurückgenommen", "fr": "Repris", "es": "Recuperado"},
    "converted": {
        "en": "Converted into credits",
        "de": "In Credits umgewandelt",
        "fr": "Converti en crédits",
        "es": "Convertido en créditos",
    },
    "paid_out": {"en": "Paid out", "de": "Ausgezahlt", "fr": "Versé", "es": "Transferido"},
    "waived": {"en": "Waived", "de": "Verzichtet", "fr": "Abandonné", "es": "Renunciado"},
    "closing": {"en": "Balance at the end", "de": "Stand am Ende", "fr": "Solde final", "es": "Saldo final"},
    "page": {
        "en": "Page {page} of {pages}",
        "de": "Seite {page} von {pages}",
        "fr": "Page {page} sur {pages}",
        "es": "Página {page} de {pages}",
    },
    "continued": {"en": "continued", "de": "Fortsetzung", "fr": "suite", "es": "continuación"},
}

#: The required note on a tax of zero, by its category.
EXEMPTIONS: Mapping[str, Mapping[str, str]] = {
    "AE": {
        "en": "Reverse charge: the recipient owes the tax (Article 196 of Directive 2006/112/EC).",
        "de": "Steuerschuldnerschaft des Leistungsempfängers (Artikel 196 der Richtlinie 2006/112/EG).",
        "fr": "Autoliquidation : la taxe est due par le preneur (article 196 de la directive 2006/112/CE).",
        "es": "Inversión del sujeto pasivo: el destinatario adeuda el IVA (artículo 196 de la Directiva 2006/112/CE).",
    },
    "E": {
        "en": "Exempt from tax.",
        "de": "Von der Steuer befreit.",
        "fr": "Exonéré de taxe.",
        "es": "Exento de impuestos.",
    },
    "O": {
        "en": "Not subject to tax.",
        "de": "Nicht steuerbar.",
        "fr": "Non soumis à la taxe.",
        "es": "No sujeto a impuestos.",
    },
    "Z": {
        "en": "Taxed at zero percent.",
        "de": "Besteuert mit null Prozent.",
        "fr": "Taxé au taux de zéro pour cent.",
        "es": "Gravado al cero por ciento.",
    },
}

#: The note on an invoice, or a credit note, of a seller that charges no tax at all.
NO_TAX = {
    "en": "The seller charges no tax on this.",
    "de": "Der Verkäufer berechnet hierauf keine Steuer.",
    "fr": "Le vendeur ne facture pas de taxe sur ce montant.",
    "es": "El vendedor no cobra impuestos por este importe.",
}

#: The note on tax in a statement, by the values of `domain.billing.tax.self_billing.StatedTax`; empty if tax is
#: charged, because the statement shows its amount.
STATED_TAX: Mapping[str, Mapping[str, str]] = {
    "reverse_charge": EXEMPTIONS["AE"],
    "outside_scope": {
        "en": "Outside the scope of tax: the supplier is in another country, outside of the European Union. "
        "No tax is stated.",
        "de": "Nicht steuerbar: Der Leistende sitzt in einem anderen Land außerhalb der Europäischen Union. "
        "Es wird keine Steuer ausgewiesen.",
        "fr": "Hors du champ d'application de la taxe : le fournisseur est établi dans un autre pays, hors de l'Union "
        "européenne. Aucune taxe n'est indiquée.",
        "es": "Fuera del ámbito de aplicación del impuesto: el proveedor está establecido en otro país, fuera de la "
        "Unión Europea. No se indica ningún impuesto.",
    },
    "not_registered": {
        "en": "No tax is stated: the supplier has no VAT number.",
        "de": "Es wird keine Steuer ausgewiesen: Der Leistende hat keine USt-IdNr.",
        "fr": "Aucune taxe n'est indiquée : le fournisseur n'a pas de numéro de TVA.",
        "es": "No se indica ningún impuesto: el proveedor no tiene NIF-IVA.",
    },
    "no_profile": {
        "en": "No tax profile of the supplier is on file: no tax is stated.",
        "de": "Zum Leistenden liegen keine Steuerangaben vor: Es wird keine Steuer ausgewiesen.",
        "fr": "Aucun profil fiscal du fournisseur n'est enregistré : aucune taxe n'est indiquée.",
        "es": "No hay datos fiscales registrados del proveedor: no se indica ningún impuesto.",
    },
    "not_stated": {
        "en": "No tax is stated: whether the supplier charges any, and at which rate, is not known here.",
        "de": "Es wird keine Steuer ausgewiesen: Ob und zu welchem Satz der Leistende sie berechnet, ist hier nicht "
        "bekannt.",
        "fr": "Aucune taxe n'est indiquée : nous ne savons pas si le fournisseur en facture une, ni à quel taux.",
        "es": "No se indica ningún impuesto: se desconoce si el proveedor lo cobra y a qué tipo.",
    },
}

#: The word for credits on a receipt, after their number.
CREDITS = {"en": "credits", "de": "Credits", "fr": "crédits", "es": "créditos"}

#: The note that a receipt is not an invoice.
RECEIPT_NOTE = {
    "en": "This receipt is not an invoice. It shows no tax.",
    "de": "Diese Quittung ist keine Rechnung. Sie weist keine Steuer aus.",
    "fr": "Ce reçu n'est pas une facture. Il ne mentionne aucune taxe.",
    "es": "Este recibo no es una factura. No indica ningún impuesto.",
}


def labels_of(language: str) -> dict[str, str]:
    """Return every label in a language."""
    return {label: words[language] for label, words in _LABELS.items()}


def title_of(kind: DocumentKind, language: str) -> str:
    """Return the title of a document."""
    return _LABELS[kind.value][language]
