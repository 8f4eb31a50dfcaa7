"""Events of spend controls: one was opened, changed, frozen, let go again or closed."""

from datetime import datetime

from domain.events import JSON, Event, EventType, an_id, asset, code, number, word
from domain.spend.control import ControlStatus, SubjectKind

S = ControlStatus

_FIELDS = {
    "control_id": an_id("ctl", "The spend control."),
    "parent_id": an_id("ctl", "The control whose limits hold here too.", nullable=True),
    "subject_type": word("By or for whom is spent.", SubjectKind),
    "subject_id": code(
        "Its id; null for a run, which has the name that its requests give it.",
        "org_01kar6x0qmf9rv4w7n2h8d3s5c",
        nullable=True,
    ),
    "currency": asset("What its limits are in."),
    "status": word("Where the control stands.", S),
    "version": number("Which version of the control this is.", 2),
}
CREATED, UPDATED = "created", "updated"
#: What each state of a control is called when it is reached.
STATES = {S.ACTIVE: "unfrozen", S.FROZEN: "frozen", S.CLOSED: "closed"}
_SENTENCES = {
    CREATED: (S.ACTIVE, "A spend control was opened."),
    UPDATED: (S.ACTIVE, "What a spend control allows was changed, or where it stands in the tree."),
    "frozen": (S.FROZEN, "A spend control was frozen: nothing can be spent under it."),
    "unfrozen": (S.ACTIVE, "It can be spent under the control again, up to its limits."),
    "closed": (S.CLOSED, "A spend control was closed for good; it limits nothing any more."),
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


def fact(
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
        org_id: whose control it is.
        control_id: the control.
        parent_id: the one above it.
        subject: by or for whom is spent; what a run is called stays here.
        currency: what its limits are in.
        before: where it stood in the version before; None for the first one.
        status: where it stands now.
        version: the number of the version.
        at: when it was written.
    """
    name = CREATED if before is None else UPDATED if before is status else STATES[status]
    kind, subject_id = subject
    told: dict[str, JSON] = {
        "control_id": control_id,
        "parent_id": parent_id,
        "subject_type": kind.value,
        "subject_id": None if kind is SubjectKind.RUN else subject_id,
        "currency": currency,
        "status": status.value,
        "version": version,
    }
    return Event(f"spend_control.{name}", org_id, control_id, told, at)
