"""Examples of good answers: each operation has those that tests got, and they fit its schemas."""

import re
from datetime import timedelta

from api.openapi_examples import FILE, recorded
from tests.support import recorded as recording
from tests.support.openapi import answers, misfits, served

HOW = "Record it as tests/support/recorded.py says."


def test_every_good_answer_has_an_example() -> None:
    assert [name for name, media in answers(served()) if not media.keys() & {"example", "examples"}] == [], HOW
    assert recorded().keys() - {name for name, _ in answers(served())} == set(), HOW


def test_every_example_fits_its_schema_and_has_nothing_else() -> None:
    unfit = {
        name: misfits(media["schema"], media["example"])
        for name, media in answers(served())
        if misfits(media["schema"], media["example"])
    }
    assert unfit == {}, HOW


def test_an_example_that_lost_a_member_or_has_one_more_does_not_fit() -> None:
    name = "organizations.get 200"
    schema, answer = dict(answers(served()))[name]["schema"], recorded()[name]["answer"]
    assert misfits(schema, answer) == []
    assert misfits(schema, {**answer, "nickname": "Acme"}) != []
    assert misfits(schema, {key: value for key, value in answer.items() if key != "status"}) != []


def test_recorded_examples_show_nothing_of_the_run() -> None:
    now = recording.NOW + timedelta(days=300)
    sent = {
        **{
            "id": "esc_01m8p742k1e1eba0v9pje1q97t",
            "payer_org_id": "org_01m8p742k1e1eba0v9pje1q97x",
            "name": "Tenant 7",
        },
        **{"payee_org_id": "org_01m8p742k1e1eba0v9pje1q97z", "at": "2026-11-27T12:00:20.5Z", "month": "2026-12"},
        **{"by": "owner-12", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "day": "2026-11-28"},
        "hosts": ["localhost:1024"],
    }
    made = recording.stable({"answer": sent}, now)["answer"]
    suffix = "01kar6h2d8e4wvq3r5s7t9x"
    assert made["secret"].startswith("whsec_")
    assert made.pop("secret") != sent["secret"]
    assert made == {
        **{"id": f"esc_{suffix}001", "payer_org_id": f"org_{suffix}001", "name": "Acme"},
        **{"payee_org_id": f"org_{suffix}002", "at": "2026-01-31T12:00:00Z", "month": "2026-02"},
        **{"by": "owner", "day": "2026-02-01"},
        "hosts": ["203.0.113.7"],
    }


def test_an_answer_to_a_command_shows_the_state_after_it() -> None:
    shown = {name.partition(" ")[0]: example["answer"] for name, example in recorded().items()}
    assert [shown[f"escrows.{verb}"]["status"] for verb in ("create", "fund", "deliver", "open_dispute", "cancel")] == [
        *("open", "funded", "delivered", "disputed", "cancelled"),
    ]
    assert (shown["invoices.void"]["status"], shown["spend_controls.freeze"]["status"]) == ("void", "frozen")


def test_no_example_shows_where_it_was_recorded() -> None:
    assert re.findall(r"localhost|127\.0\.0\.1|/(?:home|root|tmp|work)/", FILE.read_text("utf-8")) == []
