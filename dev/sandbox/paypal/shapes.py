"""JSON Schemas of requests and responses, for the fields that Bursar uses.

Requests are checked by the sandbox, answers by the tests. Written from PayPal's public reference of Orders v2, Payments
v2, Webhooks v1 and Transaction Search v1; tests compare both with PayPal's own documents where those are at hand.
"""

from typing import Any

import jsonschema_rs

Schema = dict[str, Any]


def record(required: Schema, optional: Schema | None = None) -> Schema:
    """Describe an object with these fields and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def text(limit: int, pattern: str = ".*") -> Schema:
    """Describe a string on one line."""
    return {"type": "string", "minLength": 1, "maxLength": limit, "pattern": f"^{pattern}$"}


def one_of(*words: str) -> Schema:
    """Describe a word out of a list."""
    return {"enum": list(words)}


def list_of(items: Schema, least: int = 0) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items, "minItems": least}


ID = text(36, "[A-Z0-9]+")
TIME = text(64, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
URL = text(2048, "https?://.+")
MONEY = record({"currency_code": text(3, "[A-Z]{3}"), "value": text(32, r"-?\d+(\.\d+)?")})
LINKS = list_of(record({"href": URL, "rel": text(40)}, {"method": one_of("GET", "POST", "PATCH")}))
STAMPS: Schema = {"create_time": TIME, "update_time": TIME}
OURS: Schema = {"custom_id": text(127), "invoice_id": text(127)}
PAYEE = record({"email_address": text(254), "merchant_id": text(13, "[2-9A-HJ-NP-Z]{13}")})

RELATED = record({"related_ids": record({"order_id": ID}, {"authorization_id": ID, "capture_id": ID})})

AUTHORIZATION_FIELDS: Schema = {
    "id": ID,
    "status": one_of("CREATED", "CAPTURED", "DENIED", "PARTIALLY_CAPTURED", "VOIDED", "PENDING"),
    "amount": MONEY,
    "expiration_time": TIME,
    "links": LINKS,
} | STAMPS
CAPTURE_FIELDS: Schema = {
    "id": ID,
    "status": one_of("COMPLETED", "DECLINED", "PARTIALLY_REFUNDED", "PENDING", "REFUNDED", "FAILED"),
    "amount": MONEY,
    "final_capture": {"type": "boolean"},
    "links": LINKS,
} | STAMPS
CAPTURE_OPTIONS: Schema = OURS | {
    "status_details": record({"reason": one_of("BUYER_COMPLAINT", "CHARGEBACK", "OTHER", "PENDING_REVIEW")}),
    "seller_receivable_breakdown": record({"gross_amount": MONEY, "paypal_fee": MONEY, "net_amount": MONEY}),
}
REFUND = record(
    {
        "id": ID,
        "status": one_of("CANCELLED", "FAILED", "PENDING", "COMPLETED"),
        "amount": MONEY,
        "seller_payable_breakdown": record(
            {"gross_amount": MONEY, "paypal_fee": MONEY, "net_amount": MONEY, "total_refunded_amount": MONEY}
        ),
        "links": LINKS,
    }
    | STAMPS,
    OURS | {"note_to_payer": text(255), "status_details": record({"reason": one_of("ECHECK")})},
)
AUTHORIZATION = record(AUTHORIZATION_FIELDS, OURS | {"supplementary_data": RELATED, "payee": PAYEE})
CAPTURE = record(CAPTURE_FIELDS, CAPTURE_OPTIONS | {"supplementary_data": RELATED, "payee": PAYEE})
UNIT_FIELDS: Schema = OURS | {"reference_id": text(256), "description": text(127)}
ORDER = record(
    {
        "id": ID,
        "intent": one_of("CAPTURE", "AUTHORIZE"),
        "status": one_of("CREATED", "APPROVED", "VOIDED", "COMPLETED", "PAYER_ACTION_REQUIRED"),
        "purchase_units": list_of(
            record(
                {"amount": MONEY, "payee": PAYEE},
                UNIT_FIELDS
                | {
                    "payments": record(
                        {},
                        {
                            "authorizations": list_of(record(AUTHORIZATION_FIELDS, OURS)),
                            "captures": list_of(record(CAPTURE_FIELDS, CAPTURE_OPTIONS)),
                            "refunds": list_of(REFUND),
                        },
                    )
                },
            ),
            1,
        ),
        "links": LINKS,
    }
    | STAMPS,
    {"payment_source": record({"paypal": {"type": "object"}}), "payer": {"type": "object"}},
)
#: What a change answers unless the whole object is preferred.
SHORT = record({"id": ID, "status": text(60), "links": LINKS})
ERROR = record(
    {"name": text(60), "message": text(300), "debug_id": text(40)},
    {
        "details": list_of(record({"issue": text(80), "description": text(400)}, {"field": text(200)}), 1),
        "links": LINKS,
    },
)
EVENT = record(
    {
        "id": text(60),
        "event_version": text(9),
        "create_time": TIME,
        "resource_type": one_of("capture", "refund", "authorization", "checkout-order"),
        "event_type": text(60),
        "summary": text(200),
        "resource_version": text(9),
        "resource": {"type": "object"},
        "links": LINKS,
    }
)
TRANSACTION = record(
    {
        "transaction_id": ID,
        "transaction_event_code": text(5, r"T\d{4}"),
        "transaction_initiation_date": TIME,
        "transaction_updated_date": TIME,
        "transaction_amount": MONEY,
        "transaction_status": one_of("D", "P", "S", "V"),
    },
    {
        "paypal_reference_id": ID,
        "paypal_reference_id_type": one_of("ODR", "TXN"),
        "fee_amount": MONEY,
        "invoice_id": text(127),
        "custom_field": text(127),
    },
)
TRANSACTIONS = record(
    {
        "transaction_details": list_of(record({"transaction_info": TRANSACTION})),
        "account_number": text(20),
        "start_date": TIME,
        "end_date": TIME,
        "last_refreshed_datetime": TIME,
        "page": {"type": "integer"},
        "total_items": {"type": "integer"},
        "total_pages": {"type": "integer"},
    }
)

CREATE_ORDER = record(
    {"intent": one_of("CAPTURE", "AUTHORIZE"), "purchase_units": list_of(record({"amount": MONEY}, UNIT_FIELDS), 1)},
    {
        "payment_source": record(
            {
                "paypal": record(
                    {},
                    {
                        "experience_context": record(
                            {},
                            {
                                "return_url": URL,
                                "cancel_url": URL,
                                "user_action": one_of("CONTINUE", "PAY_NOW"),
                                "shipping_preference": one_of("GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"),
                                "brand_name": text(127),
                            },
                        )
                    },
                )
            }
        )
    },
)
CAPTURE_AUTHORIZATION = record(
    {}, {"amount": MONEY, "final_capture": {"type": "boolean"}, "invoice_id": text(127), "note_to_payer": text(255)}
)
REFUND_CAPTURE = record({}, OURS | {"amount": MONEY, "note_to_payer": text(255)})
NOTHING = record({})


def mismatches(schema: Schema, value: object) -> list[str]:
    """Say where a value is not as the schema has it, as JSON pointers and sentences."""
    return [
        f"/{'/'.join(str(step) for step in error.instance_path)}: {error.message}"
        for error in jsonschema_rs.validator_for(schema).iter_errors(value)
    ]
