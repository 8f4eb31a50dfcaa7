"""Asks an outside tax service over HTTP, with our own protocol, which an adapter of a vendor has to implement.

`POST {url}` with `Authorization: Bearer {key}`:

    {"key": "…", "organization_id": "org_…", "seller_country": "DE", "currency": "EUR",
     "at": "2026-02-01T00:00:00+00:00",
     "customer": {"billing_country": "FR", "card_country": "FR", "confirmed_country": null, "region": null,
                  "vat_country": null, "is_exempt": false},
     "includes_tax": false, "lines": [{"product": "standard", "amount": "20.00"}]}

answers 200 with a tax for each line, in their order:

    {"is_proven": true, "taxes": [{"code": "fr-vat", "category": "S", "rate": "0.2"}]}

Another status from 400 to 499 than 401, 403, 408 and 429 refuses the question for good, and its `detail` is shown
to operators; everything else means that the service does not answer now.
"""

import asyncio
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2

from domain.billing.tax.rates import WHOLE, AppliedTax, TaxCategory, is_code, parse_rate
from domain.billing.tax.treatment import Treatment
from domain.common.errors import Invalid
from domain.common.money import format_amount
from providers.chains.responses import parsed
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.tax.service import REFUSED, UNAVAILABLE, TaxQuestion

#: The largest answer that is read: some thousand lines.
MAX_BYTES = 1024 * 1024
#: How much of a refusal's reason is shown to operators.
_MOST_DETAIL = 200
#: Statuses below 500 that say nothing about the question: a wrong key, too slow, too often.
_NOT_THE_QUESTION = frozenset((401, 403, 408, 429))


class HttpTaxService:
    """An outside tax service, behind its address and key. An answer that is none of the protocol is a refusal."""

    def __init__(self, client: httpx2.AsyncClient, url: str, *, key: str | None, timeout: timedelta) -> None:
        """Take the client, which the caller closes.

        Args:
            client: sends the requests.
            url: where questions are sent.
            key: of this deployment there; None where none is needed.
            timeout: of a question, from its first byte to the last one of its answer.
        """
        self._client, self._url, self._timeout = client, url, timeout
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def treat(self, question: TaxQuestion) -> Treatment:
        """Return the tax of each line, in their order."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                request = self._client.stream("POST", self._url, headers=self._headers, json=_written(question))
                async with request as response:
                    status, body = response.status_code, await _body(response)
        except TimeoutError:
            raise ProviderUnavailable("The tax service did not answer in time.", code=UNAVAILABLE) from None
        except httpx2.HTTPError as error:
            reason = f"The tax service could not be reached: {type(error).__name__}."
            raise ProviderUnavailable(reason, code=UNAVAILABLE) from None
        if status != 200:
            raise _failure(status, body)
        return _read(body, len(question.lines))


def _written(question: TaxQuestion) -> dict[str, Any]:
    party = question.party
    return {
        "key": question.key,
        "organization_id": question.org_id,
        "seller_country": question.seller_country,
        "currency": question.currency,
        "at": question.at.isoformat(),
        "customer": {
            "billing_country": party.billing_country,
            "card_country": party.card_country,
            "confirmed_country": party.confirmed_country,
            "region": party.region,
            "vat_country": party.vat_country,
            "is_exempt": party.is_exempt,
        },
        "includes_tax": question.includes_tax,
        "lines": [
            {"product": line.product, "amount": format_amount(line.amount_minor, question.currency)}
            for line in question.lines
        ],
    }


async def _body(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BYTES:
            raise _no_answer("it is too large")
        parts.append(part)
    return b"".join(parts)


def _failure(status: int, body: bytes) -> ProviderRefused | ProviderUnavailable:
    if not 400 <= status < 500 or status in _NOT_THE_QUESTION:
        return ProviderUnavailable(f"The tax service responded with status {status}.", code=UNAVAILABLE)
    try:
        detail = str(parsed(body)["detail"])
    except (ProviderUnavailable, KeyError, TypeError):
        detail = ""
    words = re.sub(r"[^\x20-\x7e]+", " ", detail)[:_MOST_DETAIL] or f"status {status}"
    return ProviderRefused(f"The tax service refused: {words}", code=REFUSED)


def _read(body: bytes, lines: int) -> Treatment:
    try:
        answer = parsed(body)
    except ProviderUnavailable:
        raise _no_answer("it is not JSON") from None
    taxes = answer.get("taxes") if isinstance(answer, dict) else None
    if not isinstance(taxes, list) or len(taxes) != lines or not isinstance(answer.get("is_proven"), bool):
        raise _no_answer("it must have is_proven and a tax for each line")
    return Treatment(taxes=tuple(_tax(each) for each in taxes), is_proven=answer["is_proven"])


def _tax(value: Any) -> AppliedTax:
    code, rate = (value.get("code"), value.get("rate")) if isinstance(value, dict) else (None, None)
    if not isinstance(code, str) or not is_code(code) or not isinstance(rate, (str, int, Decimal)):
        raise _no_answer("a tax must have code, category and rate")
    try:
        category, rate_e6 = TaxCategory(value.get("category")), parse_rate(rate)
    except (ValueError, Invalid):
        raise _no_answer("a category or a rate is none") from None
    if not 0 <= rate_e6 <= WHOLE or (rate_e6 > 0) != (category is TaxCategory.STANDARD):
        raise _no_answer("a rate above 0 goes with the category S, and 0 with the others")
    return AppliedTax(code=code, category=category, rate_e6=rate_e6)


def _no_answer(why: str) -> ProviderRefused:
    return ProviderRefused(f"The answer of the tax service cannot be used: {why}.", code=REFUSED)
