"""Organizations as customers of payment providers."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ProviderCustomer(Base):
    """Customer id of an organization at a provider. Immutable."""

    __tablename__ = "provider_customers"
    __table_args__ = (Index("uq_provider_customers_provider_customer_ref", "provider", "customer_ref", unique=True),)

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    customer_ref: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
