"""Events of spend controls: opened, changed, frozen, unfrozen and closed."""

from datetime import datetime

from domain.credits.spend.control import ControlStatus, SubjectKind
from domain.messages.events import JSON, Event, EventType, asset_field, code_field, count_field, enum_field, id_field

S = ControlStatus

_FIELDS = {
    "control_id": id_field("ctl", "The spend control."),
    "parent_id": id_field("ctl", "The parent control, whose limits apply as well.", nullable=True),
    "subject_type": enum_field("The kind of the subject that spends or is spent for.", SubjectKind),
    "subject_id": code_field(
        "The subject's id; null for a run, which its requests name.", "org_01kar6x0qmf9rv4w7n2h8d3s5c", nullable=True
    ),
    "currency": asset_field("The asset of its limits."),
    "status": enum_field("The control's status.", S),
    "version": count_field("The control's version.", 2),
}
CREATED, UPDATED = "created", "updated"
#: What each state of a control is called when it is reached.
STATES = {S.ACTIVE: "unfrozen", S.FROZEN: "frozen", S.CLOSED: "closed"}
_SENTENCES = {
    CREATED: (S.ACTIVE, "A spend control was created."),
    UPDATED: (S.ACTIVE, "A spend control's limits, rules or parent were changed."),
    "frozen": (S.FROZEN, "A spend control was frozen: nothing can be spent under it."),
    "unfrozen": (S.ACTIVE, "A spend control was unfrozen: its limits apply again."),
    "closed": (S.CLOSED, "A spend control was closed permanently; it has no effect any more."),
}

TYPES = tuple(
    EventType(
        type=f"spend_control.{name}",
        sentence=sentence,
        fields=_FIELDS,
        shown={"status": status.value, "parent_id": None, **({"version": 1} if name == CREATED else {})},
    )
    for name, (status, sentence) in _SENTENCES.items()
)


def spend_control_event(
    *,
    org_id: str,
    control_id: str,
    parent_id: str | None,
    subject: tuple[SubjectKind, str],
    currency: str,
    before: ControlStatus | None,
    status: ControlStatus,
    version: int,
    at: datetime,
) -> Event:
    """Return the event that a version of a control makes.

    Args:
        org_id: the organization that owns it.
        control_id: the control.
        parent_id: the parent control.
        subject: who or what spends under it; the name of a run is not put in the event.
        currency: the asset of its limits.
        before: the status in the previous version; None for the first version.
        status: the status in this version.
        version: the number of this version.
        at: when this version was written.
    """
    name = CREATED if before is None else UPDATED if before is status else STATES[status]
    kind, subject_id = subject
    data: dict[str, JSON] = {
        "control_id": control_id,
        "parent_id": parent_id,
        "subject_type": kind.value,
        "subject_id": None if kind is SubjectKind.RUN else subject_id,
        "currency": currency,
        "status": status.value,
        "version": version,
    }
    return Event(f"spend_control.{name}", org_id, control_id, data, at)
