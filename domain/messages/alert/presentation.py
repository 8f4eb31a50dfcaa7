"""Texts about an escalation for the Temporal UI."""

from collections.abc import Collection

from domain.common.text import as_markdown
from domain.messages.alert.escalation import EscalatedAlert, due_at
from domain.messages.alert.life import AlertStatus


def summary(kind: str, subject: str) -> str:
    """Return the summary of the run, for the list."""
    return f"calls somebody for {kind} of {subject}"


def details(case: EscalatedAlert, taken: Collection[str], refused: str | None = None) -> str:
    """Return the details of the run: what happened, who was notified and who is next."""
    lines = [
        f"**{case.status.value}** · {case.severity.value} · {as_markdown(case.kind)} of {as_markdown(case.subject)}",
        "",
        f"- {as_markdown(case.detail)}",
        f"- raised at {case.raised_at:%Y-%m-%d %H:%M:%S} UTC as {case.alert_id}"
        + (f", for {case.org_id}" if case.org_id else ""),
    ]
    if case.seen_by_organization:
        lines.append("- its organization has acknowledged it for itself")
    for step in case.ladder:
        at = due_at(case, step)
        if step.name in taken:
            lines.append(f"- {step}: called")
        elif at is not None:
            lines.append(f"- {step}: is called at {at:%Y-%m-%d %H:%M:%S} UTC unless somebody answers")
        else:
            lines.append(f"- {step}: is not called")
    if refused is not None:
        lines.append(f"- the last signal was refused: {as_markdown(refused)}")
    if case.status is AlertStatus.FIRING:
        lines.append("- signal of operators: `acknowledge`, with your name in the field operator")
    return "\n".join(lines)
