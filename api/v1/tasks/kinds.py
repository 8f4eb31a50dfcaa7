"""Kinds of tasks, and the paths of their objects."""

from collections.abc import Mapping
from enum import StrEnum


class TaskKind(StrEnum):
    """Kind of a task."""

    TO_ACCEPT = "to_accept"
    TO_FUND = "to_fund"
    TO_DELIVER = "to_deliver"
    TO_SIGN = "to_sign"
    TO_SCORE = "to_score"
    TO_DECIDE = "to_decide"
    TO_APPROVE = "to_approve"
    ALLOCATION = "allocation"
    TO_CONFIRM = "to_confirm"
    EVIDENCE_DUE = "evidence_due"
    INVOICE_DUE = "invoice_due"
    DIFFERENCE = "difference"
    ALERT = "alert"


_ESCROW = "/escrows/{id}"
PATHS: Mapping[TaskKind, str] = {
    TaskKind.TO_ACCEPT: "/contracts/{id}",
    TaskKind.TO_FUND: _ESCROW,
    TaskKind.TO_DELIVER: _ESCROW,
    TaskKind.TO_SIGN: _ESCROW,
    TaskKind.TO_SCORE: _ESCROW,
    TaskKind.TO_DECIDE: _ESCROW,
    TaskKind.TO_APPROVE: "/purchase-orders/{id}",
    TaskKind.ALLOCATION: "/allocations/{id}",
    TaskKind.TO_CONFIRM: "/revenue/{id}",
    TaskKind.EVIDENCE_DUE: "/disputes/{id}",
    TaskKind.INVOICE_DUE: "/billing/invoices/{id}",
    TaskKind.DIFFERENCE: "/reconciliation/differences/{id}",
    TaskKind.ALERT: "/alerts",
}
