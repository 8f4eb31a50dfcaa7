"""Reading the inbox, confirming channels by code, and storing preferences in the console."""

import pytest

from runtime.database import Database
from tests.api.conftest import Tenant, good
from tests.api.test_notifications import add_notification, code_of, principal_of
from tests.console.conftest import Visitor

pytestmark = pytest.mark.db

KEY = "con_notifications_"
HERE = "/console/notifications"


async def test_channel_is_added_confirmed_by_its_code_and_removed(
    visitors: dict[str, Visitor], tenant: Tenant, database: Database
):
    owner, path = visitors["owner"], f"{HERE}/channels"
    wrong = await owner.post(path, {"command": f"{KEY}1", "kind": "mail", "target": "nobody"})
    assert wrong.status_code == 422
    assert 'href="#f-target"' in wrong.text
    added = await owner.post(path, {"command": f"{KEY}2", "kind": "mail", "target": "lee@acme.example"})
    assert added.headers["location"].endswith("channel.added")
    rows = good(await tenant.owner.get("/notifications/channels"))["data"]
    (channel,) = [each["id"] for each in rows if each["target"] == "lee@acme.example"]
    code = await code_of(database, channel)
    refused = await owner.post(
        f"{path}/{channel}/verify", {"command": f"{KEY}3", "code": "000000" if code != "000000" else "000001"}
    )
    assert refused.status_code == 422
    assert "lee@acme.example" in refused.text
    given = await owner.post(f"{path}/{channel}/verify", {"command": f"{KEY}4", "code": code})
    assert given.headers["location"].endswith("channel.verified")
    other = await visitors["finance"].post(f"{path}/{channel}/remove", {"command": f"{KEY}5"})
    assert other.status_code == 404
    removed = await owner.post(f"{path}/{channel}/remove", {"command": f"{KEY}6"})
    assert removed.headers["location"].endswith("channel.removed")
    assert "lee@acme.example" not in (await owner.get(path)).text


async def test_choice_for_one_channel_keeps_the_defaults_of_others(visitors: dict[str, Visitor], tenant: Tenant):
    finance, path = visitors["finance"], f"{HERE}/preferences"
    fields = {"channel": "inbox", "invoice": "off", "refund": ""}
    chosen = await finance.post(path, {"command": f"{KEY}7", **fields})
    assert chosen.headers["location"].endswith("notification.chosen")
    times = {"digest_hour": "9", "digest_weekday": "5"}
    quiet = {"quiet_hours_starts": "22:00", "quiet_hours_ends": "07:00"}
    done = await finance.post(f"{path}/times", {"command": f"{KEY}8", **times, **quiet})
    assert done.headers["location"].endswith("notification.clock")
    found = good(await tenant.finance.get("/notifications/preferences"))
    assert {each["type"]: each["chosen"] for each in found["types"] if each["chosen"]} == {"invoice": {"inbox": "off"}}
    assert (found["quiet_hours"], found["digest_hour"]) == ({"starts": "22:00", "ends": "07:00"}, 9)
    never = await finance.post(f"{path}/times", {"command": f"{KEY}9", **times, **quiet, "quiet_hours_ends": "22:00"})
    assert never.status_code == 422
    assert 'href="#f-quiet_hours_starts"' in never.text


async def test_inbox_is_marked_read_singly_and_up_to_the_last_shown(
    visitors: dict[str, Visitor], tenant: Tenant, database: Database, objects: dict[str, str]
):
    owner, principal = visitors["owner"], await principal_of(database, tenant.owner)
    first, second = [await add_notification(database, tenant.org_id, principal) for _ in range(2)]
    page = (await owner.get(HERE)).text
    assert f'name="until" value="{second}"' in page
    one = await owner.post(f"{HERE}/{first}/read", {"command": f"{KEY}a"})
    assert one.headers["location"].endswith("notification.read")
    assert (await visitors["finance"].post(f"{HERE}/{second}/read", {"command": f"{KEY}b"})).status_code == 404
    rest = await owner.post(f"{HERE}/read", {"command": f"{KEY}c", "until": second})
    assert rest.headers["location"].endswith("notification.all_read")
    assert good(await tenant.owner.get("/notifications?unread=true"))["data"] == []
