"""Events of reports: a run is ready."""

from collections.abc import Mapping

from domain.messages.events import JSON, Event, EventType, code_field, count_field, id_field

READY = "report.ready"

TYPES = (
    EventType(
        type=READY,
        sentence="A report of a period was made, or a later version of it with other figures.",
        fields={
            "report_id": id_field("rpt", "The report."),
            "period": code_field("The period: a day, a week, a month or a quarter.", "2026-W13"),
            "version": count_field("Counts the versions of the period from 1.", 1),
            "number": count_field("The number of the run, by which its file is read.", 1),
        },
    ),
)


def data(report_id: str, period: str, version: int, run: int) -> Mapping[str, JSON]:
    """Return what the event says."""
    return {"report_id": report_id, "period": period, "version": version, "number": run}


def ready(org_id: str, report_id: str, said: Mapping[str, JSON]) -> Event:
    """Return the event of a run."""
    return Event(READY, org_id, report_id, said)
