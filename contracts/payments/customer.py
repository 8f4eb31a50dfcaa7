"""Messages of customers. They only grow: a new field has a default, a field is never renamed or removed."""

from contracts.common.base import Message


class CustomerInput(Message):
    org_id: str
    name: str


class CustomerResult(Message):
    org_id: str
    customer_ref: str
