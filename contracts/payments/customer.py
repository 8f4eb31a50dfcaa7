"""Messages of customers. They only grow: a new field has a default, a field is never renamed or removed."""

from contracts.common.base import Message


class CustomerInput(Message):
    """Starts the run that makes an organization a customer of a provider."""

    org_id: str
    name: str


class CustomerResult(Message):
    """Who the organization is at the provider."""

    org_id: str
    customer_ref: str
