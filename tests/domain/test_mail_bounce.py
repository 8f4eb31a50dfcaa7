"""Reading bounce reports of any origin."""

from datetime import UTC, date, datetime, timedelta

import pytest

from dev.sandbox.mail.bounces import report
from domain.messages.mail_bounce import (
    BOUNCES_WITHIN,
    MAX_LINES,
    MAX_REPORT,
    bounce_address,
    missing_mailbox_status,
    read_bounce_address,
    read_report,
    recipients_of,
    signed_text,
)

OWNER, MAILBOX, DAY = "owner@acme.example", "bounce@mail.bursar.example", date(2026, 11, 22)
SIGNATURE = "abcdefghijklmnopqrstuvwxyz"
TO = bounce_address(MAILBOX, DAY, SIGNATURE)


@pytest.mark.parametrize("status", ["5.1.1", "5.2.1", "5.1.10"])
def test_bounce_report_gives_the_address_and_the_reason(status: str) -> None:
    raw = report(to=TO, address=OWNER, status=status)
    found = read_report(raw)
    assert found is not None
    assert (found.addresses, found.status) == ((OWNER,), status)
    assert recipients_of(raw) == (TO,)


@pytest.mark.parametrize(
    ("status", "said"), [("5.2.2", "smtp; 552 full"), ("5.7.1", "smtp; 550 spam"), ("4.1.1", ""), ("5.1.8", "")]
)
def test_temporary_and_own_failures_do_not_suppress_the_address(status: str, said: str) -> None:
    found = read_report(report(to=TO, address=OWNER, status=status, said=said))
    assert found is not None
    assert found.status is None


def test_general_code_is_refined_by_the_servers_text() -> None:
    found = read_report(report(to=TO, address=OWNER, status="5.0.0", said="smtp; 550 5.1.1 unknown user"))
    assert found is not None
    assert found.status == "5.1.1"
    assert missing_mailbox_status("550 5.1.1 No such mailbox") == "5.1.1"
    assert missing_mailbox_status("550 No such mailbox at 15.1.1.2") is None


def test_a_forwarded_mail_offers_the_address_that_it_was_sent_to_as_well() -> None:
    headers = f"From: billing@bursar.example\nTo: {OWNER}\nSubject: x\n\n"
    found = read_report(report(to=TO, address="forwarded@elsewhere.example", headers=headers))
    assert found is not None
    assert found.addresses == ("forwarded@elsewhere.example", OWNER)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"From: a@b.example\r\nSubject: On holiday\r\n\r\nI am away.\r\n",
        report(to=TO, address=OWNER, action="delayed"),
        report(to=TO, address=OWNER) + b"x" * MAX_REPORT,
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n--x--",
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 990,
    ],
)
def test_other_mail_is_not_a_bounce_report(raw: bytes) -> None:
    assert read_report(raw) is None


def test_mail_built_to_be_slow_to_parse_is_not_parsed() -> None:
    """Each of these takes a mail parser seconds within the size limit of a report."""
    good = report(to=TO, address=OWNER)
    nested = b"".join(b"Content-Type: multipart/report; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(300))
    for padding in (nested, b"a\r\n" * MAX_LINES, b"x: " + b"a*0=b;" * 10_000, b"x" * MAX_REPORT):
        assert read_report(good + padding) is None
        assert recipients_of(b"To: " + TO.encode() + b"\r\n\r\n" + padding) == ()
    assert recipients_of(b"To: " + b"(" * 5_000 + b"\r\nTo: " + TO.encode() + b"\r\n\r\n") == (TO,)


def test_bounce_address_is_valid_for_days_and_case_insensitive() -> None:
    token = read_bounce_address(MAILBOX, TO.upper(), DAY)
    assert token is not None
    assert (token.day, token.signature) == (DAY, SIGNATURE)
    assert read_bounce_address(MAILBOX, TO, DAY + BOUNCES_WITHIN) == token
    assert read_bounce_address(MAILBOX, TO, DAY + BOUNCES_WITHIN + timedelta(days=1)) is None
    assert read_bounce_address(MAILBOX, TO, DAY - timedelta(days=2)) is None
    # As long as the local part of an address may be.
    longest = bounce_address("b" * 30 + "@mail.example", datetime(2200, 1, 1, tzinfo=UTC).date(), SIGNATURE)
    assert len(longest.partition("@")[0]) <= 64


@pytest.mark.parametrize(
    "recipient",
    [
        "bounce@mail.bursar.example",
        TO.replace("@mail.", "@"),
        TO.replace("+", "-"),
        TO + ".evil.example",
        "",
        "@",
        "x" * 999,
    ],
)
def test_other_addresses_are_not_bounce_addresses(recipient: str) -> None:
    assert read_bounce_address(MAILBOX, recipient, DAY) is None


def test_signature_distinguishes_addresses_and_days_but_not_case() -> None:
    signed = {signed_text(OWNER, DAY), signed_text(OWNER, DAY + timedelta(days=1)), signed_text("o" + OWNER, DAY)}
    assert len(signed) == 3
    assert signed_text(OWNER.upper(), DAY) in signed
