"""Projects of organizations, and when they were deployed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Project(Base):
    """A project of an organization. Written for its tenant by the platform's role; rows are never deleted.

    Attributes:
        slug: its name in addresses, unique within the organization.
        deploy_type: the purpose of its deployment.
        deployed_at: since when it is deployed; null if it is not.
        occupies_slot: whether it uses one of the organization's slots. The projects deployed last use them.
        version: counts the changes, by a trigger.
    """

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("deployed_at IS NOT NULL OR NOT occupies_slot", name="slot"),
        CheckConstraint("deploy_type IN ('development', 'staging', 'production')", name="deploy_type"),
        UniqueConstraint("org_id", "slug"),
        Index("ix_projects_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    slug: Mapped[str]
    name: Mapped[str] = mapped_column(info={"holds": "free_text"})
    deployed_at: Mapped[datetime | None]
    occupies_slot: Mapped[bool]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deploy_type: Mapped[str] = mapped_column(server_default="development")
    version: Mapped[int] = mapped_column(server_default=text("1"))


class DeploymentEvent(Base):
    """A command that deployed or undeployed a project or changed the tier. Append-only, numbered by organization.

    A keyed command that found nothing to do has an event without slots, so that its repeat changes nothing.

    Attributes:
        kind: `deployed`, `undeployed`, `tier_changed`.
        project_id: null for a change of the tier.
        slots: the number of slots taken into use; negative if returned.
        plan: the tier of the organization after it; `share` is the number of deployments that it included, null for no
            limit.
        transfer_id: the transfer of these slots; null without any.
    """

    __tablename__ = "deployment_events"
    __table_args__ = (
        CheckConstraint("kind IN ('deployed', 'undeployed', 'tier_changed')", name="kind"),
        CheckConstraint("(project_id IS NULL) = (kind = 'tier_changed')", name="project"),
        CheckConstraint("(transfer_id IS NULL) = (slots = 0)", name="transfer"),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    slots: Mapped[int]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    actor: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]
    plan: Mapped[str] = mapped_column(info={"holds": "technical"})
    share: Mapped[int | None]
