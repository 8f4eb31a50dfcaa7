"""Confirms VAT numbers by VIES, the register of the EU, over its REST interface.

`POST {base}/check-vat-number` with `{"countryCode", "vatNumber", "requesterMemberStateCode", "requesterNumber"}`
answers `{"countryCode", "vatNumber", "valid", "requestIdentifier", "name", …}`, or, with a status of 200 as well,
`{"actionSucceed": false, "errorWrappers": [{"error"}]}`. There is a `requestIdentifier`, the proof that was asked, only
where the requester is named, and `---` for a name that the member state does not give.
"""

from datetime import timedelta

import httpx2

from providers.chains.responses import Node
from providers.payments.base import ProviderUnavailable
from providers.tax.base import Confirmation


class Vies:
    """The register of the EU."""

    def __init__(
        self, client: httpx2.AsyncClient, base_url: str, *, requester: str, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        """Take the client, which the caller closes.

        Args:
            client: sends the requests.
            base_url: such as `https://ec.europa.eu/taxation_customs/vies/rest-api`.
            requester: the seller's own VAT number, with its prefix.
            timeout: of a request.
        """
        self._node = Node(client, f"{base_url.rstrip('/')}/check-vat-number", timeout=timeout, max_bytes=64 * 1024)
        self._requester = requester

    async def confirm(self, country: str, number: str) -> Confirmation:
        """Ask for a number; the answer must be about it."""
        answer = await self._node.post(
            {
                "countryCode": number[:2],
                "vatNumber": number[2:],
                "requesterMemberStateCode": self._requester[:2],
                "requesterNumber": self._requester[2:],
            }
        )
        if not isinstance(answer, dict) or not isinstance(answer.get("valid"), bool):
            raise ProviderUnavailable(f"VIES does not confirm numbers of {country} now.", code="tax.unavailable")
        if (answer.get("countryCode"), answer.get("vatNumber")) != (number[:2], number[2:]):
            raise ProviderUnavailable("VIES answered for another number.", code="tax.unavailable")
        reference = answer.get("requestIdentifier")
        is_named = isinstance(reference, str) and 0 < len(reference) <= 100
        name = answer.get("name") or answer.get("traderName")
        return Confirmation(
            is_valid=answer["valid"],
            reference=reference if is_named else None,
            name=name if isinstance(name, str) and any(letter.isalnum() for letter in name) else None,
        )
