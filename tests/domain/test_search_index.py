"""Exported fields of search index documents, and the months retained."""

from datetime import date

from domain.insight.search_index import AMOUNT_FIELDS, MAPPING, PLAIN_FIELDS, document_of, oldest_month
from domain.messages.events.catalogue import CATALOGUE

#: Fields of events that stay here: what people or providers wrote, names of things, and times.
NOT_SENT = {
    *("accept_by", "accepted_at", "cancels_at_period_end", "change", "changed", "changed_at", "code", "day"),
    *("debt_paid", "deployed_at", "due_at", "ends_at", "evidence_due_at", "expires_at", "external_id", "is_sudden"),
    *("next_deadline_at", "organization_id", "paused_for", "period_end", "plan", "reason", "required_signatures"),
    *("resets_at", "retired_at", "seats", "signatures", "snoozed_until", "source", "stars", "subject", "subject_id"),
    *("number", "period", "subject_type", "threshold_percent", "validation_score", "version"),
}


def test_only_listed_event_fields_are_exported():
    for each in CATALOGUE.values():
        fields = each.schema["properties"].keys()
        assert fields <= PLAIN_FIELDS | AMOUNT_FIELDS | NOT_SENT, each.type
        secret = dict.fromkeys(fields, "someone@example.com")
        shown = {"id": "evt", "type": each.type, "organization_id": "org", "subject": "s", "subject_seq": 1, "at": "t"}
        sent = document_of({**shown, "data": {**each.example, "external_id": "mine", "reason": "written by a person"}})
        assert sent.keys() <= MAPPING.keys()
        assert not {"mine", "written by a person"} & set(map(str, sent.values()))
        assert all(
            name in PLAIN_FIELDS for name, value in document_of({**shown, "data": secret}).items() if "@" in str(value)
        )
    assert not (PLAIN_FIELDS | AMOUNT_FIELDS) & NOT_SENT


def test_amounts_are_in_minor_units_of_their_currency():
    shown = {"id": "evt", "type": "t", "organization_id": "org", "subject": "s", "subject_seq": 1, "at": "t"}

    def sent(**data):
        return {name: value for name, value in document_of({**shown, "data": data}).items() if name.endswith("_minor")}

    assert sent(amount="12.34", total="-1.00", currency="USD") == {"amount_minor": 1234, "total_minor": -100}
    assert sent(amount="1.5", asset="CREDIT") == {"amount_minor": 1_500_000}
    assert sent(amount="12", currency="JPY") == {"amount_minor": 12}
    assert sent(amount="12") == sent(amount="x", currency="USD") == sent(amount=None, currency="USD") == {}


def test_current_and_previous_months_are_kept():
    assert oldest_month(date(2026, 3, 31), 1) == "2026-02"
    assert oldest_month(date(2026, 1, 1), 1) == "2025-12"
    assert oldest_month(date(2026, 12, 31), 12) == "2025-12"
    assert oldest_month(date(2026, 2, 28), 24) == "2024-02"
