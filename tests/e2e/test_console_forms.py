"""The console's forms whose commands a run carries out: their texts, and whom the run refuses them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from console.forms import COMMAND, new_key
from tests.console.browser.objects import planted_risk
from tests.console.fake import OWN
from tests.console.strict import read
from tests.console.typed import OF_RUNS, PAYLOADS
from tests.console.walking import FoundForm, forms_of, route_of, text_of
from tests.e2e.conftest import Caller, World, good
from tests.e2e.payments.paying import Payer, until

#: One that would end a value, an element and a title: all texts are typed into one form of each other kind by
#: `tests/console/test_typed.py`, and into these by `tests/console/browser/test_attacks.py`.
TEXT = PAYLOADS["quotes"]


class Session:
    """Somebody who fills forms over HTTP, as a browser without scripts does."""

    def __init__(self, browser: httpx2.AsyncClient, filled: dict[str, set[str]]) -> None:
        self.browser, self.filled = browser, filled

    async def fill(self, page: str, *, on: str = "", **fields: str) -> httpx2.Response:
        """Fill the form of a page, or of the page `on` which offers it, and send it."""
        form = self.form_at(page, await self.browser.get(on or page))
        # The platform's pages of a command have the same form as those of an organization.
        route = route_of(form.action).replace("/platform/", "/{org}/")
        self.filled.setdefault(route, set()).update({*fields} & form.texts)
        return await self.browser.post(form.action, data={**form.sent, **fields}, headers=OWN)

    def form_at(self, page: str, answer: httpx2.Response) -> FoundForm:
        assert read(answer.text).problems == []
        action = page.partition("?")[0]
        return next(each for each in forms_of(answer.text) if each.action == action)

    async def shows(self, page: str, field: str, text: str, at: str, *, on: str = "", **also: str) -> None:
        """Fill the form, and find the text of a field on a page as the text that it is."""
        answer = await self.fill(page, on=on, **also, **{field: text})
        assert answer.status_code == 303, text_of(answer.text)
        shown = await self.browser.get(at)
        assert read(shown.text).problems == []
        assert " ".join(text.split()) in text_of(shown.text)

    async def is_refused(self, page: str, field: str, **fields: str) -> None:
        answer = await self.fill(page, **fields)
        assert answer.status_code == 422, text_of(answer.text)
        form = self.form_at(page, answer)
        assert [each.name for each in form.controls if each.wrong] == [field]
        assert {name: form.sent[name] for name in fields} == fields


class Sessions:
    """Browsers of the callers of one test; `filled` has the texts entered, by the routes of their forms."""

    def __init__(self, url: str, open_browsers: AsyncExitStack) -> None:
        self.filled: dict[str, set[str]] = {}
        self._url, self._open = url, open_browsers

    async def of(self, caller: Caller) -> Session:
        browser = httpx2.AsyncClient(base_url=self._url, trust_env=False, timeout=60)
        await self._open.enter_async_context(browser)
        answer = await browser.post("/console/sign-in", data={"key": caller.token, "next": ""}, headers=OWN)
        assert answer.status_code == 303
        return Session(browser, self.filled)


@pytest.fixture
async def sessions(world: World) -> AsyncIterator[Sessions]:
    async with AsyncExitStack() as stack:
        yield Sessions(world.running.api_url, stack)


def texts_of(*folders: str) -> dict[str, set[str]]:
    """Return what has to be filled of some folders of the console."""
    found = {route: names for route, names in OF_RUNS.items() if any(f"/{each}/" in route for each in folders)}
    return {route.replace("/platform/", "/{org}/"): names for route, names in found.items()}


async def test_texts_of_an_escrow_stay_text(world: World, sessions: Sessions) -> None:
    (buyer_id, buyer), (seller_id, seller) = await world.tenant("owner"), await world.tenant("owner")
    grant = {"organization_id": buyer_id, "amount": "1000", "source": "promotion"}
    good(await world.operator.post("/credits/grants", grant), 201)
    agent = good(await seller["owner"].post("/agents", {"name": "Reader"}), 201)["id"]
    payer, payee = await sessions.of(buyer["owner"]), await sessions.of(seller["owner"])
    arbiter, validator = await sessions.of(world.arbiter), await sessions.of(world.validator)

    async def funded() -> str:
        terms = {"agent_id": agent, "title": "Read", "price": "5.00", "currency": "CREDIT"}
        signed = {"validation_threshold": "0.80", "signatories": ["owner"]}
        contract = good(await buyer["owner"].post("/contracts", terms | signed), 201)["id"]
        escrow = str(good(await buyer["owner"].post("/escrows", {"contract_id": contract}), 201)["id"])
        good(await buyer["owner"].post(f"/escrows/{escrow}/fund", {"source": "credits"}))
        return escrow

    async def disputed(text: str) -> None:
        escrow = await funded()
        theirs, ours = f"/console/{buyer_id}/escrows/{escrow}", f"/console/{seller_id}/escrows/{escrow}"
        judged = f"/console/platform/escrows/{escrow}"
        await payee.shows(f"{ours}/deliver", "deliver_note", text, ours)
        await validator.shows(f"{judged}/validate", "validate_note", text, judged, validate_score="0.10")
        await payer.shows(f"{theirs}/dispute", "dispute_reason", text, theirs)
        await payee.shows(f"{ours}/submit-evidence", "evidence_note", text, ours)
        await arbiter.shows(f"{judged}/resolve?percent=50", "resolve_note", text, judged)
        await payer.shows(f"{theirs}/feedback", "comment", text, f"{theirs}/feedback", quality="4")

    async def cancelled(text: str) -> None:
        theirs = f"/console/{buyer_id}/escrows/{await funded()}"
        await payer.shows(f"{theirs}/cancel", "cancel_reason", text, theirs)

    await asyncio.gather(disputed(TEXT), cancelled(TEXT))

    turned, place = PAYLOADS["turned"], f"/escrows/{await funded()}"
    await payer.is_refused(f"/console/{buyer_id}{place}/cancel", "cancel_reason", cancel_reason=turned)
    delivering = f"/console/{seller_id}{place}/deliver"
    await payee.is_refused(delivering, "deliver_note", deliver_note=turned)
    await payee.is_refused(delivering, "deliver_artifacts", deliver_artifacts=TEXT)
    good(await seller["owner"].post(f"{place}/delivery", {"note": "Done"}))
    scoring = f"/console/platform{place}/validate"
    await validator.is_refused(scoring, "validate_score", validate_score=TEXT)
    await validator.is_refused(scoring, "validate_note", validate_score="0.10", validate_note=turned)
    await payer.is_refused(f"/console/{buyer_id}{place}/dispute", "dispute_reason", dispute_reason=turned)
    good(await buyer["owner"].post(f"{place}/disputes", {"reason": "No"}))
    adding = f"/console/{seller_id}{place}/submit-evidence"
    await payee.is_refused(adding, "evidence_note", evidence_note=turned)
    await payee.is_refused(adding, "evidence_artifacts", evidence_note="See", evidence_artifacts=PAYLOADS["address"])
    deciding = f"/console/platform{place}/resolve?percent=50"
    await arbiter.is_refused(deciding, "resolve_note", resolve_note=turned)
    assert sessions.filled == texts_of("escrows")


async def test_form_of_somebody_else_is_refused_by_the_run_and_changes_nothing(
    world: World, sessions: Sessions
) -> None:
    escrow = await world.escrow("delivered", signatories=["procurement"], required_signatures=1)
    org_id, buyer = world.running.ids["client_org"], await sessions.of(world.client)
    place = f"/console/{org_id}/escrows/{escrow['id']}"
    for command, theirs, disputed in (
        ("approve", world.finance, False),
        ("submit-evidence", world.operator, True),
    ):
        if disputed:
            good(await world.client.post(f"/escrows/{escrow['id']}/disputes", {"reason": "No"}))
        form = buyer.form_at(f"{place}/{command}", await buyer.browser.get(f"{place}/{command}"))
        before = await world.look(escrow)
        stranger = await sessions.of(theirs)
        fields = form.sent | dict.fromkeys(form.texts, "https://files.test/a") | {COMMAND: new_key()}
        answer = await stranger.browser.post(form.action, data=fields, headers=OWN)
        assert answer.status_code == 403, text_of(answer.text)
        assert await world.look(escrow) == before


async def test_texts_of_payments_stay_text(world: World, sessions: Sessions) -> None:
    org_id, people = await world.tenant("owner")
    owner, payer = await sessions.of(people["owner"]), Payer(world, org_id, people["owner"])
    base = f"/console/{org_id}"
    paid = await payer.settled(await payer.top_up("100.00", payment_method="pm_card_visa"))
    page = f"{base}/payments/{paid['id']}"
    await owner.is_refused(f"{page}/refund?amount=1.00", "reason", reason=PAYLOADS["turned"])
    await owner.shows(f"{page}/refund?amount=1.00", "reason", TEXT, page)

    body = {"amount": "10.00", "currency": "USD", "payment_method": "pm_card_createDispute"}
    good(await people["owner"].post("/payments", body), 201)
    listed = await until(lambda: people["owner"].get("/disputes"), lambda answer: answer.json()["data"])
    page = f"{base}/disputes/{listed.json()['data'][0]['id']}"
    # It is shown as it will be read, and then kept for the platform.
    evidence = {"text": "\n".join(text for name, text in PAYLOADS.items() if name != "turned")}
    asked = await owner.fill(f"{page}/evidence", **evidence)
    assert read(asked.text).problems == []
    assert " ".join(evidence["text"].split()) in text_of(asked.text)
    answer = await owner.fill(f"{page}/evidence", **evidence, sure="on")
    assert answer.status_code == 303, text_of(answer.text)
    offered = good(await people["owner"].get(page.removeprefix(base)))
    assert (offered["evidence_submitted_at"], offered["offered_evidence"]) == (None, evidence["text"])

    assert sessions.filled == texts_of("payments", "disputes")


async def test_texts_of_a_case_stay_text(world: World, sessions: Sessions) -> None:
    ids = await planted_risk(world)
    operator, owner = await sessions.of(world.operator), await sessions.of(world.client)
    case = f"/console/platform/risk/cases/{ids['risk_case']}"
    review = f"/console/{world.running.ids['client_org']}/reviews/{ids['risk_case']}"
    await owner.shows(f"{review}/answer", "answer", TEXT, review, on=review)
    await operator.shows(f"{case}/note", "note", TEXT, case, on=case)
    await operator.shows(f"{case}/request-information", "question", TEXT, case, on=case)
    ruling = {"result": "refuse", "entities": f"organization:{world.running.ids['client_org']}"}
    await operator.is_refused(f"{case}/decide", "days", **ruling, reason=TEXT, days=PAYLOADS["turned"])
    await operator.shows(f"{case}/decide", "reason", TEXT, case, **ruling, days="30")
    await owner.shows(f"{review}/appeal", "appeal", TEXT, review, on=review)
    assert sessions.filled == texts_of("cases", "reviews")
