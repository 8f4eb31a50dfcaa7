"""Limits of agents' keys in disputes: clients can manipulate an agent, because it reads what they write."""

from domain.common.access import Actor, Role
from domain.common.errors import EvidenceFull, Forbidden
from domain.common.text import json_bytes
from domain.escrow.state import MAX_EVIDENCE, MAX_EVIDENCE_BYTES, Artifact, Escrow, EscrowStatus

#: Evidence limits of one agent's key: half of those of its side.
MAX_AGENT_EVIDENCE = MAX_EVIDENCE // 2
MAX_AGENT_EVIDENCE_BYTES = MAX_EVIDENCE_BYTES // 2


def refuse_own_dispute(escrow: Escrow, actor: Actor) -> None:
    """Refuse a dispute by an agent's key while its delivery is under review.

    Undisputed, the delivery is paid in full; an undecided dispute pays a part, so disputing never helps the agent.

    Raises:
        Forbidden: a member of its organization may open the dispute.
    """
    if actor.role is Role.AGENT and escrow.status is EscrowStatus.DELIVERED:
        raise Forbidden(
            "An agent's key may not dispute its own delivery, which is released when its review ends. If an arbiter is "
            "needed, have a member of the agent's organization open the dispute."
        )


def limit_agent_evidence(escrow: Escrow, actor: Actor, note: str, artifacts: tuple[Artifact, ...]) -> None:
    """Refuse evidence by an agent's key beyond half of its side's limits.

    Raises:
        EvidenceFull: a member of its organization may submit more.
    """
    if actor.role is not Role.AGENT or escrow.dispute is None:
        return
    own = [piece for piece in escrow.dispute.evidence if piece.submitted_by == actor.qualified()]
    taken = sum(evidence_bytes(piece.note, piece.artifacts) for piece in own) + evidence_bytes(note, artifacts)
    if len(own) >= MAX_AGENT_EVIDENCE or taken > MAX_AGENT_EVIDENCE_BYTES:
        raise EvidenceFull(
            f"An agent's key can submit at most {MAX_AGENT_EVIDENCE} pieces of evidence of {MAX_AGENT_EVIDENCE_BYTES} "
            "bytes together. Members of its organization can submit more.",
            extra={"state": escrow.status.value},
        )


def evidence_bytes(note: str, artifacts: tuple[Artifact, ...]) -> int:
    """Return the size of a piece of evidence in bytes."""
    return json_bytes(note, *(text for artifact in artifacts for text in (artifact.uri, artifact.sha256)))
