"""Events of spend limits: a threshold of alerts is crossed."""

from domain.common.calendar import FOREVER
from domain.credits.spend.alerts import AlertKind, SpendEvent, subject_of
from domain.messages.events import Event, EventType, code_field, count_field, format_time, id_field, time_field

CROSSED = "spend_limit.crossed"

TYPES = (
    EventType(
        type=CROSSED,
        sentence="The amount spent and reserved has reached a threshold of a limit.",
        fields={
            "control_id": id_field("ctl", "The spend control."),
            "window": code_field("The window of the limit.", "month"),
            "threshold_percent": count_field("The threshold, in percent of the limit.", 80),
            "resets_at": time_field("When the next window begins.", nullable=True),
        },
    ),
)


def has_event(happened: SpendEvent) -> bool:
    """Return whether there is an event for it; only crossed thresholds have one."""
    return happened.kind in {AlertKind.THRESHOLD, AlertKind.BUDGET}


def threshold_events(happened: SpendEvent) -> list[Event]:
    """Return the event of a crossed threshold."""
    if not has_event(happened):
        return []
    data = {
        "control_id": subject_of(happened),
        "window": happened.window,
        "threshold_percent": (happened.part_e4 or 0) // 100,
        "resets_at": None if happened.ends_at == FOREVER else format_time(happened.ends_at),
    }
    return [Event(CROSSED, happened.org_id, subject_of(happened), data)]
