"""Events of cases of suspected fraud, for the affected organizations: never rules, facts or other organizations."""

from datetime import datetime

from domain.messages.events import Event, EventType, enum_field, id_field
from domain.risk.case import Case, CaseResult, CaseStatus, ReasonClass

_FIELDS = {
    "case_id": id_field("rcs", "The case."),
    "status": enum_field("The case's status.", CaseStatus),
    "reason": enum_field("What the case is about.", ReasonClass),
    "result": enum_field("How it was decided; null before.", CaseResult, nullable=True),
}
_TYPES = {
    "opened": "risk.case_opened",
    "information_requested": "risk.information_requested",
    "decided": "risk.case_decided",
}

TYPES = (
    EventType(
        type="risk.case_opened",
        sentence="Acts of the organization are reviewed; `GET /risk/cases/{id}` shows what is held.",
        fields=_FIELDS,
        shown={"result": None},
    ),
    EventType(
        type="risk.information_requested",
        sentence="A question about a case waits for the organization's answer.",
        fields=_FIELDS,
        shown={"status": "waiting", "result": None},
    ),
    EventType(
        type="risk.case_decided",
        sentence="A case was decided. After a release, repeat held requests with the same Idempotency-Key.",
        fields=_FIELDS,
        shown={"status": "decided"},
    ),
)


def case_events(case: Case, event: str, at: datetime) -> list[Event]:
    """Return the events of an event of a case, one for each affected organization; none if they do not see it."""
    name = _TYPES.get(event)
    if name is None:
        return []
    data = {
        "case_id": case.case_id,
        "status": case.status.value,
        "reason": case.reason.value,
        "result": None if case.result is None else case.result.value,
    }
    return [Event(name, org_id, case.case_id, data, at) for org_id in case.org_ids]
