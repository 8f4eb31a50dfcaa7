from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given, settings, strategies as st

from dev.sandbox.stripe import parameters, schemas
from dev.sandbox.stripe.errors import Refusal
from tests.lanes import examples
from tests.support.cases import for_each


async def refusal(sandbox, path, data):
    answer = await sandbox.raw("POST", path, data)
    return {"status": answer.status_code} | answer.json()["error"]


@for_each(
    "data, code, param",
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"address[planet]": "Mars"}, "parameter_unknown", "address[planet]"),
        ({"balance": "12.5"}, "parameter_invalid_integer", "balance"),
        ({"balance": ""}, "parameter_invalid_empty", "balance"),
        ({"shipping[name]": "A"}, "parameter_missing", "shipping[address]"),
        ({"tax_exempt": "perhaps"}, None, "tax_exempt"),
        ({"preferred_locales": "en"}, None, "preferred_locales"),
        ({"address": "Mars"}, None, "address"),
        ({"name": "x" * 5001}, "parameter_invalid_string_length", "name"),
        ({f"metadata[{'k' * 41}]": "1"}, None, "metadata"),
        ({"metadata[a]": "x" * 501}, None, "metadata[a]"),
        ({f"metadata[k{n}]": "1" for n in range(51)}, None, "metadata"),
    ],
)
async def test_wrong_parameter_is_refused_by_name(stripe_sandbox, data, code, param):
    error = await refusal(stripe_sandbox, "/v1/customers", data)
    assert (error["status"], error["type"]) == (400, "invalid_request_error")
    assert (error.get("code"), error["param"]) == (code, param)


async def test_limits_of_metadata_can_be_reached(stripe_sandbox):
    full = {f"{'k' * 38}{n:02}": "x" * 500 for n in range(50)}
    made = await stripe_sandbox.client.v1.customers.create_async({"metadata": full})
    assert made.metadata.to_dict() == full


async def test_parameter_that_this_version_lost_is_refused(stripe_sandbox):
    answer = await stripe_sandbox.raw(
        "POST", "/v1/setup_intents", {"payment_method_types[]": "card"}, Stripe_Version=stripe.api_version
    )
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("parameter_unknown", "payment_method_types")


async def test_missing_parameter_is_refused_by_name(stripe_sandbox):
    error = await refusal(stripe_sandbox, "/v1/products", {"description": "nameless"})
    assert (error["code"], error["param"]) == ("parameter_missing", "name")


async def test_unknown_path_is_not_recognised(stripe_sandbox):
    answer = await stripe_sandbox.raw("GET", "/v1/fortunes")
    assert answer.status_code == 404
    assert "Unrecognized request URL (GET: /v1/fortunes)" in answer.json()["error"]["message"]


async def test_operation_that_is_not_here_yet_says_so(stripe_sandbox):
    answer = await stripe_sandbox.raw("POST", "/v1/topups", {"amount": "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_in_sandbox")


async def test_unknown_id_is_a_404_and_unknown_reference_a_400(stripe_sandbox):
    answer = await stripe_sandbox.raw("GET", "/v1/customers/cus_none")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
    error = await refusal(stripe_sandbox, "/v1/setup_intents", {"customer": "cus_none"})
    assert (error["status"], error["code"], error["param"]) == (400, "resource_missing", "customer")


async def test_every_answer_has_an_id_and_the_version(stripe_sandbox):
    answers = [
        await stripe_sandbox.raw("POST", "/v1/customers"),
        await stripe_sandbox.raw("POST", "/v1/customers", {"x": "y"}),
        await stripe_sandbox.raw("GET", "/v1/nothing"),
    ]
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(id.startswith("req_") for id in ids)
    assert {answer.headers["stripe-version"] for answer in answers} == {stripe.api_version}


async def test_version_that_the_sandbox_cannot_answer_in_is_refused(stripe_sandbox):
    answer = await stripe_sandbox.raw("GET", "/v1/customers", Stripe_Version="2019-05-16")
    assert (answer.status_code, stripe.api_version in answer.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "did not provide an API key"),
        ("sk_live_51abcdef", "refuses live keys"),
        ("rk_live_51abcdef", "refuses live keys"),
        ("pk_live_51abcdef", "refuses live keys"),
        ("password", "Invalid API Key"),
        ("sk_test_", "Invalid API Key"),
    ],
)
async def test_key_that_is_no_test_key_is_refused(stripe_sandbox, key, message):
    answer = await stripe_sandbox.raw("GET", "/v1/customers", Authorization=f"Bearer {key}")
    assert answer.status_code == 401
    assert message in answer.json()["error"]["message"]
    assert key == "" or key not in answer.text


@pytest.mark.parametrize("key", ["sk_test_1234", "rk_test_1234"])
async def test_secret_and_restricted_test_keys_are_taken(stripe_sandbox, key):
    assert (await stripe_sandbox.raw("GET", "/v1/customers", Authorization=f"Bearer {key}")).status_code == 200
    assert (await stripe_sandbox.http.get(f"{stripe_sandbox.url}/v1/customers", auth=(key, ""))).status_code == 200


async def test_publishable_key_opens_only_what_its_client_secret_names(stripe_sandbox):
    intent = await stripe_sandbox.client.v1.setup_intents.create_async({})
    page = {"Authorization": "Bearer pk_test_1234"}
    path = f"/v1/setup_intents/{intent.id}"
    assert (await stripe_sandbox.raw("GET", "/v1/customers", **page)).status_code == 403
    assert (await stripe_sandbox.raw("GET", path, **page)).status_code == 404
    assert (await stripe_sandbox.raw("GET", f"{path}?client_secret=wrong", **page)).status_code == 404
    assert (await stripe_sandbox.raw("GET", f"{path}?client_secret={intent.client_secret}", **page)).status_code == 200
    confirmation = {"client_secret": intent.client_secret, "payment_method": "pm_card_visa"}
    confirmed = await stripe_sandbox.raw("POST", f"{path}/confirm", confirmation, **page)
    assert confirmed.json()["status"] == "succeeded"


async def test_list_is_paged_in_both_directions(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = [(await customers.create_async({})).id for _ in range(13)][::-1]
    first = await customers.list_async()
    assert ([each.id for each in first.data], first.has_more) == (made[:10], True)
    rest = await customers.list_async({"starting_after": made[9], "limit": 3})
    assert ([each.id for each in rest.data], rest.has_more) == (made[10:], False)
    back = await customers.list_async({"ending_before": made[9], "limit": 4})
    assert ([each.id for each in back.data], back.has_more) == (made[5:9], True)
    assert [each.id async for each in (await customers.list_async({"limit": 4})).auto_paging_iter()] == made


async def test_list_is_filtered_by_field_and_time(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    old = await customers.create_async({"email": "a@example.com"})
    await stripe_sandbox.control("clock", advance=3600)
    new = await customers.create_async({"email": "b@example.com"})

    async def ids(**params: object) -> list[str]:
        return [each.id for each in (await customers.list_async(params)).data]

    assert await ids(email="a@example.com") == [old.id]
    assert await ids(created={"gte": old.created, "lt": new.created}) == [old.id]
    assert await ids(created={"gt": old.created}) == [new.id]
    assert await ids(created=new.created) == [new.id]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("starting_after=cus_none", "starting_after"),
        ("created[near]=1", "created[near]"),
    ],
)
async def test_list_refuses_wrong_parameters(stripe_sandbox, query, param):
    answer = await stripe_sandbox.raw("GET", f"/v1/customers?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_expand_replaces_ids_on_every_level_and_in_lists(stripe_sandbox):
    client = stripe_sandbox.client.v1
    customer = await client.customers.create_async({})
    card = await client.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    await client.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    deep = await client.payment_methods.retrieve_async(
        card.id, {"expand": ["customer.invoice_settings.default_payment_method"]}
    )
    assert deep.customer.invoice_settings.default_payment_method.id == card.id
    listed = await client.payment_methods.list_async({"customer": customer.id, "expand": ["data.customer"]})
    assert listed.data[0].customer.id == customer.id
    plain = await client.payment_methods.retrieve_async(card.id)
    assert plain.customer == customer.id


@pytest.mark.parametrize("path", ["email", "colour", "metadata", "invoice_settings", "data", "invoice_settings.footer"])
async def test_what_does_not_expand_is_refused(stripe_sandbox, path):
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await stripe_sandbox.client.v1.customers.create_async({"email": "a@example.com", "expand": [path]})
    assert (await stripe_sandbox.client.v1.customers.list_async()).data == []


async def test_expanding_too_deep_is_refused(stripe_sandbox):
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        await stripe_sandbox.client.v1.customers.create_async({"expand": ["a.b.c.d.e"]})


def test_every_operation_and_object_of_the_sdk_has_a_schema():
    operations = schemas.operations()
    assert len(operations) > 500
    for operation in operations.values():
        assert operation.schema["type"] == "object", operation
    for name in schemas.object_classes():
        assert schemas.object_schema(name)["type"] == "object", name


def test_answer_that_stripe_could_not_give_is_found_out():
    price = {"id": "price_1", "object": "price", "active": True, "billing_scheme": "per_unit", "created": 1}
    price |= {"currency": "usd", "livemode": False, "metadata": {}, "product": "prod_1", "type": "one_time"}
    schemas.validate_answer("get", "/v1/prices/{price}", price)
    page = {"object": "list", "data": [price], "has_more": False, "url": "/v1/prices"}
    schemas.validate_answer("get", "/v1/prices", page)
    for wrong in (
        {"active": "yes"},
        {"type": "sometimes"},
        {"colour": "red"},
        {"currency": None},
        {"object": "product"},
    ):
        with pytest.raises(schemas.NotConforming):
            schemas.validate_answer("get", "/v1/prices/{price}", price | wrong)
        with pytest.raises(schemas.NotConforming):
            schemas.validate_answer("get", "/v1/prices", page | {"data": [price | wrong]} | {"url": 1})


def test_event_of_no_known_type_is_found_out():
    with pytest.raises(schemas.NotConforming, match="no event customer"):
        schemas.validate_event({"type": "customer.sneezed"})


def test_form_is_read_as_nested_objects_and_arrays():
    assert parameters.decoded("a[b][c]=1&d[]=x&d[]=y&e[1]=q&e[0]=p&f=") == {
        "a": {"b": {"c": "1"}},
        "d": {"0": "x", "1": "y"},
        "e": {"1": "q", "0": "p"},
        "f": "",
    }


def test_arrays_keep_the_order_of_their_numbers():
    operation = schemas.operations()["post", "/v1/webhook_endpoints"]
    sent = "url=https://a&" + "&".join(f"enabled_events[{n}]=charge.succeeded" for n in range(11))
    sent += "&enabled_events[11]=charge.failed"
    checked = parameters.checked(operation, parameters.decoded(sent))
    assert checked["enabled_events"] == ["charge.succeeded"] * 11 + ["charge.failed"]


NAMES = st.recursive(
    st.sampled_from(
        ["amount", "metadata", "address", "expand", "limit", "created", "card", "enabled_events", "", "\0", "ü"]
    ),
    lambda inner: st.tuples(inner, st.sampled_from(["", "0", "7", "city", "gte", "[", "]", "'"])).map(
        "{0[0]}[{0[1]}]".format
    ),
    max_leaves=3,
)
VALUES = st.sampled_from(["", "1", "-1", "true", "null", "1e9", "9" * 30, "x", "\0", "%", "{}", "ü"])


@settings(max_examples=examples(300), deadline=None)
@given(
    operation=st.sampled_from(sorted(schemas.operations())),
    form=st.dictionaries(NAMES, VALUES, max_size=4),
)
def test_whatever_is_sent_is_either_allowed_or_refused(operation, form):
    known = schemas.operations()[operation]
    refused, taken = None, {}
    try:
        taken = parameters.checked(known, parameters.decoded(urlencode(form)))
    except Refusal as refusal:
        refused = refusal
    assert known.validator.is_valid(taken) if refused is None else 400 <= refused.status < 500


async def test_body_that_is_no_text_is_refused(stripe_sandbox):
    answer = await stripe_sandbox.http.post(
        f"{stripe_sandbox.url}/v1/customers",
        content=b"\xff\xfe=\x00&name[=1&]=2&[[]]=3",
        headers={"Authorization": "Bearer sk_test_1234"},
    )
    assert answer.status_code == 400
