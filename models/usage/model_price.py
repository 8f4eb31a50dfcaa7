"""Prices of LLM models, and their imports."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ModelPriceImport(Base):
    """An import of a price list that changed a price. Written by `manage import-model-prices`; rows are immutable.

    Attributes:
        number: counts imports; caches of prices compare it.
        version: of the list, named by the operator.
        sha256: of the file.
        valid_from: when its prices begin.
        entries: the number of entries, `prices` of them new or changed.
    """

    __tablename__ = "model_price_imports"

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    version: Mapped[str]
    sha256: Mapped[str]
    valid_from: Mapped[datetime]
    entries: Mapped[int]
    prices: Mapped[int]
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ModelPriceRow(Base):
    """Price of a model from a moment until its next row. Written by an import; rows are immutable.

    Attributes:
        model: its key in the price list.
        provider: the serving provider, by its name in the list.
        prices: see `domain.usage.prices.prices_to_json`; decimals are strings.
    """

    __tablename__ = "model_prices"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(prices -> 'tiers' -> 'standard') = 'array'", name="prices"),
        Index("ix_model_prices_import_number", "import_number"),
    )

    model: Mapped[str] = mapped_column(primary_key=True, info={"holds": "identifier"})
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    provider: Mapped[str]
    currency: Mapped[str]
    version: Mapped[str]
    prices: Mapped[dict[str, Any]] = mapped_column(JSONB)
    import_number: Mapped[int] = mapped_column(ForeignKey("model_price_imports.number"))
