"""Every answer of the console says what a browser may do with it."""

import gzip
import re

import pytest
import stripe

from console.app import HEADERS
from console.assets import STATIC
from console.policy import POLICY, with_stripe
from runtime.settings import Settings
from tests.console.fake import ORG, OWN, SANDBOX, FakeApi, browser, problem
from tests.support.cases import for_each

PATHS = [
    "/console/",
    "/console/sign-in",
    "/console/help",
    "/console/nothing",
    f"/console/{ORG}",
    "/console/preferences",
]


@for_each("path", PATHS)
@for_each("signed_in", [True, False])
async def test_pages_have_the_whole_policy_and_are_not_stored(path: str, signed_in: bool) -> None:
    async with browser(FakeApi(), signed_in=signed_in) as client:
        answer = await client.get(path)
    assert {name: answer.headers[name] for name in HEADERS if name != "Referrer-Policy"} == {
        name: value for name, value in HEADERS.items() if name != "Referrer-Policy"
    }
    assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert "strict-transport-security" not in answer.headers


async def test_refused_forms_and_faults_have_it_too() -> None:
    async with browser(FakeApi(answers={"GET /billing/summary": (200, {"assets": "none"})}), signed_in=True) as client:
        foreign = await client.post("/console/sign-out")
        broken = await client.get(f"/console/{ORG}")
    assert (foreign.status_code, broken.status_code) == (403, 500)
    for answer in (foreign, broken):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"


async def test_https_binds_browsers_to_itself() -> None:
    public = "https://pay.example.com"
    async with browser(FakeApi(), here=public, public_url=public) as client:
        answer = await client.get("/console/sign-in")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_policy_lets_nothing_foreign_in() -> None:
    allowed = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert allowed["default-src"] == "'none'"
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert set(allowed["script-src"].split()) == {"'self'"}


async def test_assets_are_named_by_content_and_kept_for_ever() -> None:
    async with browser(FakeApi(), signed_in=True) as client:
        page = (await client.get(f"/console/{ORG}")).text
        urls = set(re.findall(r'"(/console/assets/[^"#]+)', page))
        for url in urls:
            answer = await client.get(url)
            assert answer.status_code == 200, url
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        missing = await client.get("/console/assets/console.0000000000000000.js")
    assert {url.rpartition(".")[2] for url in urls} >= {"css", "js", "svg"}
    assert missing.status_code == 404
    assert "immutable" not in missing.headers["cache-control"]


async def test_a_first_view_is_four_requests_at_most() -> None:
    async with browser(FakeApi(), signed_in=True) as client:
        page = (await client.get(f"/console/{ORG}")).text
    assert 1 + len(set(re.findall(r'(?:href|src)="(/console/assets/[^"#]+)', page))) <= 4


def test_scripts_and_styles_stay_small() -> None:
    def packed(suffix: str) -> int:
        return len(gzip.compress(b"\n".join(path.read_bytes() for path in sorted(STATIC.glob(f"*.{suffix}"))), 9))

    assert packed("js") <= 12 * 1024
    assert packed("css") <= 15 * 1024


async def test_pages_are_compressed_and_those_with_secrets_are_not() -> None:
    async with browser(FakeApi(), signed_in=True) as client:
        home = await client.get(f"/console/{ORG}")
        sign_in = await client.get("/console/sign-in")
    assert home.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in sign_in.headers


async def test_a_fault_of_a_page_does_not_show_what_broke() -> None:
    async with browser(FakeApi(answers={"GET /billing/summary": (200, {"assets": 1})}), signed_in=True) as client:
        answer = await client.get(f"/console/{ORG}")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "TypeError" not in answer.text


async def test_link_pages_give_their_address_to_nobody() -> None:
    gone = problem(410, "session.link_gone", "This link was used.")
    async with browser(FakeApi(answers={"POST /sessions/links/preview": gone})) as client:
        answer = await client.get("/console/enter/bsl_token", headers=OWN)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.status_code == 410
    assert "This link was used." in answer.text


ELEMENTS = {**SANDBOX, "stripe_publishable_key": "pk_test_1", "stripe_elements": True}
INTENT = {
    "GET /billing/payment-methods": (200, {"data": [], "next_cursor": None}),
    "POST /billing/setup-intent": (200, {"id": "seti_1", "client_secret": "seti_1_secret_2"}),
}


def directives(policy: str) -> dict[str, set[str]]:
    return {name: set(sources.split()) for name, _, sources in (part.partition(" ") for part in policy.split("; "))}


async def test_the_page_with_stripe_s_form_alone_lets_its_origin_in() -> None:
    methods, form = f"/console/{ORG}/payment-methods", {"command": "con_0123456789abcdef"}
    async with browser(FakeApi(answers=INTENT), signed_in=True, **ELEMENTS) as client:
        listed = await client.get(methods)
        closed = await client.get(f"{methods}/new")
        opened = await client.post(f"{methods}/new", data=form, headers=OWN)
    assert f'action="{methods}/new"' in listed.text
    assert listed.headers["content-security-policy"] == closed.headers["content-security-policy"] == POLICY
    ours, theirs = directives(POLICY), directives(opened.headers["content-security-policy"])
    sandbox = {"http://127.0.0.1:9"}
    assert {name: theirs[name] - ours.get(name, set()) for name in theirs if theirs[name] != ours.get(name)} == {
        "script-src": sandbox, "frame-src": sandbox, "connect-src": sandbox, "trusted-types": {"default"},
    }  # fmt: skip
    assert 'data-secret="seti_1_secret_2"' in opened.text
    assert 'src="http://127.0.0.1:9/endive/stripe.js"' in opened.text
    assert "content-encoding" not in opened.headers


def test_policy_for_stripe_itself_names_the_hosts_that_its_documentation_names() -> None:
    release = stripe.api_version.rpartition(".")[2]
    settings = Settings(stripe_api_key="sk_test_1", stripe_publishable_key="pk_test_1", stripe_elements=True)
    assert settings.stripe_js == f"https://js.stripe.com/{release}/stripe.js"
    theirs = directives(with_stripe(settings.stripe_js))
    assert theirs["script-src"] == {"'self'", "https://js.stripe.com", "https://*.js.stripe.com"}
    assert theirs["frame-src"] == {"https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"}
    assert theirs["connect-src"] == {"'self'", "https://api.stripe.com"}
    assert theirs["require-trusted-types-for"] == {"'script'"}


async def test_without_the_setting_there_is_no_such_form_and_the_provider_s_page_stays() -> None:
    methods = f"/console/{ORG}/payment-methods"
    async with browser(FakeApi(answers=INTENT), signed_in=True, **SANDBOX) as client:
        listed = await client.get(methods)
        opened = await client.get(f"{methods}/new")
    assert f'action="{methods}/add"' in listed.text
    assert f'action="{methods}/new"' not in listed.text
    assert opened.status_code == 404


@pytest.mark.parametrize(
    ("site", "said"),
    [("same-origin", True), (None, True), ("cross-site", False), ("same-site", False), ("none", False)],
)
async def test_address_that_somebody_else_sends_says_nothing_was_done(site: str | None, said: bool) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    async with browser(FakeApi(), signed_in=True) as client:
        page = (await client.get(f"/console/{ORG}?notice=escrow.funded", headers=headers)).text
    assert ("The money is in escrow." in page, "data-done" in page) == (said, said)
