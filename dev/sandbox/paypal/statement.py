"""Transaction Search: what the orders did to the balance, as PayPal's statement lists it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dev.sandbox.paypal.amounts import money, value_of
from dev.sandbox.paypal.errors import PayPalError
from dev.sandbox.paypal.orders import RECEIVED, REVERSAL_NOTE, Orders, moment
from dev.sandbox.paypal.store import Json

MAX_WINDOW = timedelta(days=31)
MAX_PAGE = 500
STATUSES = {"PENDING": "P", "DECLINED": "D", "FAILED": "D", "CANCELLED": "D"}


def search(orders: Orders, query: Mapping[str, str], *, now: datetime, limit: int) -> Json:
    """Answer one page; `limit` is the number of lines that PayPal lists for one window."""
    start, end = (_time(query, name) for name in ("start_date", "end_date"))
    if end - start > MAX_WINDOW or end < start:
        raise PayPalError(400, "INVALID_REQUEST", "The date range is greater than 31 days, or ends before it starts.")
    size, page = int(query.get("page_size", "100")), int(query.get("page", "1"))
    if not 1 <= size <= MAX_PAGE or page < 1:
        raise PayPalError(400, "INVALID_REQUEST", "Page and page size are out of range.")
    found = [line for line in lines(orders) if start <= _initiated(line) <= end and _wanted(line, query)]
    if len(found) > limit:
        raise PayPalError(400, "RESULTSET_TOO_LARGE")
    found.sort(key=_initiated)
    shown = found[(page - 1) * size : page * size]
    return {
        "transaction_details": [{"transaction_info": line} for line in shown],
        "account_number": "SANDBOXACCOUNT",
        "start_date": moment(start),
        "end_date": moment(end),
        "last_refreshed_datetime": moment(now),
        "page": page,
        "total_items": len(found),
        "total_pages": max(1, -(-len(found) // size)),
    }


def lines(orders: Orders) -> Iterator[Json]:
    """List every line: authorizations, captures, refunds and reversals."""
    for _, authorization in orders.all_payments("authorizations"):
        yield _line(authorization, "T1300", Decimal(1), {})
    for order, capture in orders.all_payments("captures"):
        held = order["purchase_units"][0]["payments"].get("authorizations")
        reference = {"paypal_reference_id": held[-1]["id"], "paypal_reference_id_type": "TXN"} if held else {}
        line = _line(capture, "T0006", Decimal(1), reference)
        if capture["status"] in RECEIVED:
            fee = capture["seller_receivable_breakdown"]["paypal_fee"]
            line["fee_amount"] = money(-value_of(fee), fee["currency_code"])
        yield line
    for _, refund in orders.all_payments("refunds"):
        capture_id = refund["links"][1]["href"].rpartition("/")[2]
        code = "T1106" if refund.get("note_to_payer") == REVERSAL_NOTE else "T1107"
        reference = {"paypal_reference_id": capture_id, "paypal_reference_id_type": "TXN"}
        yield _line(refund, code, Decimal(-1), reference)


def _line(payment: Json, code: str, sign: Decimal, reference: Json) -> Json:
    amount = payment["amount"]
    line: Json = {
        "transaction_id": payment["id"],
        "transaction_event_code": code,
        "transaction_initiation_date": payment["create_time"].replace("Z", "+0000"),
        "transaction_updated_date": payment["update_time"].replace("Z", "+0000"),
        "transaction_amount": money(sign * value_of(amount), amount["currency_code"]),
        "transaction_status": STATUSES.get(payment["status"], "S"),
    } | reference
    if "invoice_id" in payment:
        line["invoice_id"] = payment["invoice_id"]
    if "custom_id" in payment:
        line["custom_field"] = payment["custom_id"]
    return line


def _wanted(line: Json, query: Mapping[str, str]) -> bool:
    if query.get("balance_affecting_records_only", "Y") == "Y" and line["transaction_event_code"] == "T1300":
        return False
    amount = line["transaction_amount"]
    if query.get("transaction_currency", amount["currency_code"]) != amount["currency_code"]:
        return False
    if "transaction_amount" in query:
        low, _, high = query["transaction_amount"].partition(" TO ")
        return int(low) <= int(amount["value"].replace(".", "")) <= int(high)
    return True


def _initiated(line: Json) -> datetime:
    return datetime.fromisoformat(line["transaction_initiation_date"])


def _time(query: Mapping[str, str], name: str) -> datetime:
    try:
        return datetime.fromisoformat(query[name]).astimezone(UTC)
    except (KeyError, ValueError) as error:
        raise PayPalError(400, "INVALID_REQUEST", f"{name} is missing or no date.") from error
