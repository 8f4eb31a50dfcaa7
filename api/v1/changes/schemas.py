"""Schemas of marks."""

from collections.abc import Collection, Mapping
from typing import Self

from pydantic import Field

from api.fields import ResponseModel


class MarksView(ResponseModel):
    """The mark of each topic, which grows when something in the topic changes.

    0 also for topics that you may not follow.
    """

    agents: int
    alerts: int
    balance: int = Field(description="Balances, debts and holds of the organization.")
    contracts: int
    credits: int = Field(description="Lots, grants and reservations of credits.")
    disputes: int = Field(description="Chargebacks.")
    escrows: int
    invoices: int = Field(description="Invoices and credit notes.")
    limits: int = Field(description="Spend limits that passed a threshold.")
    organization: int
    payments: int = Field(description="Payments and their refunds.")
    payouts: int
    projects: int = Field(description="Projects and their deployments.")
    purchase_orders: int = Field(description="External purchases of agents.")
    purchases: int = Field(description="Agents that the organization has bought.")
    reports: int
    risk_cases: int = Field(description="Cases of suspected fraud.")
    subscriptions: int
    webhook_endpoints: int

    @classmethod
    def of(cls, marks: Mapping[str, int], topics: Collection[str]) -> Self:
        return cls(**{topic: mark if topic in topics else 0 for topic, mark in marks.items()})
