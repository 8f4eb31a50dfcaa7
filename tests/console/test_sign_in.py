"""Signing in and out: the key is used once, the token is the browser's, and `next` leads nowhere else."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from api import auth
from console import gateway
from console.cookies import own_path
from runtime.settings import Settings
from tests.console.fake import KEY, ORG, OWN, SANDBOX, SESSION, TOKEN, FakeApi, browser, problem
from tests.support.cases import for_each

FORM = {"key": KEY, "next": ""}
PREVIEW = {
    "principal": "maria",
    "role": "finance",
    "organization": {"id": ORG, "name": "Acme <b>"},
    "made_by": "platform",
    "by_mail": False,
    "expires_at": "2026-11-23T00:00:00Z",
    "path": f"/console/{ORG}/transactions",
    "return_url": "https://app.example.com/billing",
}
REDEEMED = {**SESSION, "path": PREVIEW["path"], "return_url": PREVIEW["return_url"]}


async def test_key_becomes_a_token_that_scripts_do_not_see() -> None:
    api = FakeApi()
    async with browser(api) as client:
        answer = await client.post("/console/sign-in", data=FORM, headers=OWN)
        assert (await client.get("/console/")).headers["location"] == f"/console/{ORG}"
    assert answer.status_code == 303
    cookie = next(each for each in answer.headers.get_list("set-cookie") if TOKEN in each)
    assert cookie == f"bursar_session={TOKEN}; HttpOnly; Path=/; SameSite=lax"
    assert KEY not in str(answer.headers)
    assert api.asked[0][1]["authorization"] == f"Bearer {KEY}"


async def test_cookie_is_bound_to_the_host_and_to_https() -> None:
    public = "https://pay.example.com"
    async with browser(FakeApi(), here=public, public_url=public) as client:
        answer = await client.post("/console/sign-in", data=FORM, headers=OWN)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if TOKEN in each)
    assert cookie == f"__Host-bursar_session={TOKEN}; HttpOnly; Path=/; SameSite=lax; Secure"


async def test_cookie_is_never_sent_in_clear_from_a_host_that_others_reach() -> None:
    async with browser(FakeApi(), host="0.0.0.0") as client:
        answer = await client.post("/console/sign-in", data=FORM, headers=OWN)
    assert all("Secure" in each for each in answer.headers.get_list("set-cookie") if TOKEN in each)


@pytest.mark.parametrize("key", ["bsk_wrong", "", "ä", "a b", "x" * 301, "a\nX-Other: 1"])
async def test_wrong_key_is_401_with_a_sentence_and_no_cookie(key: str) -> None:
    async with browser(FakeApi()) as client:
        answer = await client.post("/console/sign-in", data={"key": key, "next": ""}, headers=OWN)
    assert answer.status_code == 401
    assert "Invalid key" in answer.text
    assert "set-cookie" not in answer.headers
    assert not key or len(key) < 5 or key not in answer.text


async def test_signed_out_pages_say_whose_they_are_and_that_no_money_moves() -> None:
    async with browser(FakeApi(), brand_name="Acme <Pay>", **SANDBOX) as client:
        page = (await client.get("/console/sign-in")).text
    assert "Sandbox: no money moves" in page
    assert "· Acme &lt;Pay&gt;</title>" in page
    assert "Bursar" not in page
    async with browser(FakeApi()) as client:
        assert "no money moves" not in (await client.get("/console/sign-in")).text


async def test_api_that_is_down_is_said() -> None:
    down = problem(503, "service.unavailable")
    async with browser(FakeApi(answers={"POST /sessions": down})) as client:
        answer = await client.post("/console/sign-in", data=FORM, headers=OWN)
    assert answer.status_code == 503
    assert "does not respond" in answer.text


@for_each(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example/console",
        "/\\evil.example",
        "/console\\..\\x",
        "/console/../admin",
        "/console//evil.example",
        "/consolex",
        "javascript:alert(1)",
        "/console/\nSet-Cookie: a=b",
        "console/x",
        "/api/v1/me",
        "",
    ],
)
async def test_next_leads_nowhere_but_into_the_console(elsewhere: str) -> None:
    assert own_path(elsewhere) is None
    async with browser(FakeApi()) as client:
        answer = await client.post("/console/sign-in", data={"key": KEY, "next": elsewhere}, headers=OWN)
    assert answer.headers["location"] == "/console/"


async def test_next_leads_back_to_where_one_was() -> None:
    path = f"/console/{ORG}/transactions?q=a%20b"
    async with browser(FakeApi()) as client:
        shown = await client.get("/console/sign-in", params={"next": path})
        answer = await client.post("/console/sign-in", data={"key": KEY, "next": path}, headers=OWN)
    assert f'value="{path}"' in shown.text
    assert answer.headers["location"] == path


async def test_link_shows_who_one_becomes_and_uses_nothing_up() -> None:
    api = FakeApi(answers={"POST /sessions/links/preview": (200, PREVIEW)})
    async with browser(api) as client:
        answer = await client.get("/console/enter/bsl_token")
    assert answer.status_code == 200
    assert "maria" in answer.text
    assert "Acme &lt;b&gt;" in answer.text
    assert api.commands() == ["POST /sessions/links/preview"]


async def test_button_of_a_link_opens_its_session_and_knows_the_way_back() -> None:
    api = FakeApi(answers={"POST /sessions/redeem": (201, REDEEMED)})
    async with browser(api) as client:
        answer = await client.post("/console/enter", data={"token": "bsl_token"}, headers=OWN)
        page = await client.get(answer.headers["location"])
    assert answer.headers["location"] == PREVIEW["path"]
    assert 'href="https://app.example.com/billing"' in page.text
    assert "Back to app.example.com" in page.text


async def test_used_link_says_so() -> None:
    gone = problem(410, "session.link_gone", "This link was used.")
    async with browser(FakeApi(answers={"POST /sessions/redeem": gone})) as client:
        answer = await client.post("/console/enter", data={"token": "bsl_token"}, headers=OWN)
    assert answer.status_code == 410
    assert "This link was used." in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "sent", "is_background"),
    [
        (f"/console/{ORG}/transactions", {}, False),
        (f"/console/{ORG}/transactions", {"X-Background": "1"}, True),
        (f"/console/{ORG}/changes", {}, True),
    ],
    ids=["page", "refresh", "stream"],
)
async def test_what_a_page_asks_for_by_itself_keeps_nobody_signed_in(
    path: str, sent: dict[str, str], *, is_background: bool
) -> None:
    api = FakeApi()
    async with browser(api, signed_in=True) as client:
        await client.get(path, headers=sent)
    assert len(api.asked) > 1
    assert {headers.get("x-background") == "1" for _, headers, _ in api.asked} == {is_background}


def test_script_and_api_name_requests_in_the_background_alike() -> None:
    script = Path("console/static/live.js").read_text(encoding="utf-8")
    assert f'"{gateway.BACKGROUND}": "1"' in script
    assert gateway.BACKGROUND == auth.BACKGROUND


async def test_signing_out_ends_the_session_at_the_api_and_in_the_browser() -> None:
    api = FakeApi()
    async with browser(api, signed_in=True) as client:
        answer = await client.post("/console/sign-out", headers=OWN)
        assert (await client.get(f"/console/{ORG}")).status_code == 303
    assert api.commands() == ["DELETE /sessions/ses_1"]
    assert answer.headers["clear-site-data"] == '"cache", "storage"'


async def test_reading_never_signs_out() -> None:
    api = FakeApi()
    async with browser(api, signed_in=True) as client:
        assert (await client.get("/console/sign-out")).status_code == 200
    assert api.commands() == []


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps({"keys": {"client": KEY, "other": "bsk_x"}, "ids": {}}))
    return path


async def test_development_offers_whom_the_stack_has_made(seed: Path) -> None:
    async with browser(FakeApi(), console_seed=seed, **SANDBOX) as client:
        page = await client.get("/console/sign-in")
        answer = await client.post("/console/continue", data={"persona": "client", "next": ""}, headers=OWN)
    assert "Continue as Acme, owner" in page.text
    assert KEY not in page.text
    assert "bsk_x" not in page.text
    assert answer.status_code == 303


@pytest.mark.parametrize("here", ["http://evil.example:8000", "http://192.168.0.2:8000"])
async def test_development_offers_nobody_under_another_name(seed: Path, here: str) -> None:
    """A page of a host whose name was bound to 127.0.0.1 could press the button otherwise."""
    async with browser(FakeApi(), here=here, console_seed=seed, **SANDBOX) as client:
        page = await client.get("/console/sign-in")
        answer = await client.post("/console/continue", data={"persona": "client", "next": ""}, headers=OWN)
    assert "Continue as" not in page.text
    assert answer.status_code == 401


async def test_without_a_seed_nobody_is_offered() -> None:
    async with browser(FakeApi()) as client:
        page = await client.get("/console/sign-in")
        answer = await client.post("/console/continue", data={"persona": "client", "next": ""}, headers=OWN)
    assert "Continue as" not in page.text
    assert answer.status_code == 401


@for_each(
    "changed",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.0.2"},
        {"public_url": "https://pay.example.com"},
        {"stripe_api_base": "https://api.stripe.com"},
        {"stripe_api_base": None},
        {
            "stripe_api_key": "sk_live_1",
            "stripe_api_base": "https://api.stripe.com",
            "plain_payloads": "accept",
            "trait_key": "a secret of the place",
        },
        {"paypal_client_id": "a", "paypal_client_secret": "b", "paypal_api_base": "https://api-m.sandbox.paypal.com"},
        {"btc_xpub": "xpub", "esplora_url": "https://blockstream.info/api", "plain_payloads": "accept"},
        {"stripe_api_key": None},
    ],
)
def test_development_starts_nowhere_else(seed: Path, changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="BURSAR_CONSOLE_SEED"):
        Settings(console_seed=seed, **{**SANDBOX, **changed})
