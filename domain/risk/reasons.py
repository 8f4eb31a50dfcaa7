"""Classes of reasons that affected organizations see. They do not say what was measured. Pure."""

from enum import StrEnum

from domain.risk.act import Point


class Reason(StrEnum):
    """Why an act did not take place as requested, as the affected organization sees it."""

    UNUSUAL_PAYMENT = "unusual_payment"
    UNUSUAL_PAYOUT = "unusual_payout"
    RELATED_PARTIES = "related_parties"
    DELIVERY_CHECK = "delivery_check"
    ACCOUNT_SAFETY = "account_safety"
    OTHER = "other"


_BY_RULE = {"related_parties": Reason.RELATED_PARTIES}
_BY_POINT = {
    **dict.fromkeys((Point.PAYMENT, Point.TOPUP, Point.FUND, Point.REFUND), Reason.UNUSUAL_PAYMENT),
    **dict.fromkeys((Point.PAYOUT, Point.PAYOUT_ACCOUNT), Reason.UNUSUAL_PAYOUT),
    **dict.fromkeys((Point.AWARD, Point.VALIDATE, Point.FEEDBACK), Reason.RELATED_PARTIES),
    Point.DELIVER: Reason.DELIVERY_CHECK,
    **dict.fromkeys((Point.KEY, Point.SIGNUP, Point.LOGIN, Point.LOGIN_FAILED), Reason.ACCOUNT_SAFETY),
}


def reason_class(point: Point, rule: str | None) -> Reason:
    """Return the class of reason of a decision at a point by a rule or list; None for no rule."""
    return _BY_RULE.get(rule or "") or _BY_POINT.get(point, Reason.OTHER)
