"""Card numbers: every published test number is found in every notation, and other numbers are left unchanged."""

import hashlib
import itertools
import json
from decimal import Decimal

from domain.common.ids import make_id
from domain.privacy.card_numbers import (
    MASK,
    address_contains_card_number,
    contains_card_number,
    number_contains_card_number,
    redacted,
    without_card_numbers,
)
from tests.support.cases import for_each

#: The numbers that each provider publishes for tests, without those documented to fail the Luhn check.
PUBLISHED = {
    # docs.stripe.com/testing: brands, countries, declines, fraud, disputes, refunds, 3D Secure; and Connect's payouts.
    "Stripe": """
        4242424242424242 4000056655665556 5555555555554444 2223003122003222 5200828282828210 5105105105105100
        378282246310005 371449635398431 6011111111111117 6011000990139424 6011981111111113 3056930009020004
        36227206271667 6555900000604105 3566002020360505 6200000000000005 6200000000000047 6205500000000000004
        4000000320000021 4000000760000002 4000001240000000 4000001520000001 4000001700000003 4000001880000005
        4000002180000000 4000004840008001 4000005910000000 4000006000000066 4000006040000068 4000008580000003
        4000007840000001 5200007840000022 4000000400000008 4000000560000004 4000001000000000 4000001120000005
        4000001910000009 4000001960000008 4000002030000002 4000002080000001 4000002330000009 4000002460000001
        4000002500000003 4000002760000016 4000002920000005 4000003000000030 4000003480000005 4000003720000005
        4000003800000008 4000004280000005 4000004380000004 4000004400000000 4000004420000006 4000004700000007
        4000005280000002 4000005780000007 4000006160000005 4000006200000007 4000006420000001 4000006820000007
        4000007050000006 4000007030000001 4000007240000007 4000007520000008 4000007560000009 4000008260000000
        4000058260000005 5555558265554449 4000000360000006 4000001560000002 4000003440000004 4000003560000008
        4000003920000003 3530111333300000 4000004580000002 4000005540000008 4000007020000003 4000001580000008
        4000007640000003 4000057640000008 4000000000000002 4000000000009995 4000000000009987 4000000000009979
        4000000000000069 4000000000000127 4000000000000119 4000000000006975 4000000000000341 4100000000000019
        4000000000004954 4000000000009235 4000000000000101 4000000000000036 4000000000000028 4000000000000010
        4000000000000044 4000000000000259 4000000000002685 4000000000001976 4000000000005423
        4000000000000077 4000003720000278 4000000000007726 4000000000005126 4000002500003155 4000002760003184
        4000003800000446 4000008260003178 4000008400001629 4000008400001280 4000000000003220 4000000000003063
        4000000000003055 4000056655665572 4000056755665555
    """,
    # developer.paypal.com: card testing, 3D Secure tests; and Payflow's list.
    "PayPal": """
        371449635398431 376680816376961 36461510000039 36461510000013 6304000000000000 5063516945005047
        2223000048400011 4005519200000004 4012000033330026 4012000077777777 4012888888881881 4217651111111119
        4500600000000061 4772129056533503 4915805038587737 6200680000000004 6200680000000038 3636500000000260
        3636500000000989 4111111111111111 4868719460707704 5329879786234393 4868719115514992 5329879785160250
        4868719796782421 5329879743856650 4868719041085422 5329879703852350 4868719494697210 5329879747163939
        4868719196829038 5329879707824603 6507720016523241 3636500013811265 3613285017849035 6011270016527338
        4868719158130060 5329879769571910 6507720026574622 3636500029449373 3613285026969303 6011270026518392
        378282246310005 378734493671000 5610591081018250 30569309025904 38520000023237 6011111111111117
        6011000990139424 3530111333300000 3566002020360505 5555555555554444 5105105105105100 4222222222222
        5019717010103742 6331101999990016
    """,
    # developer.paypal.com/braintree: testing; and the sandbox values of Braintree's Python library.
    "Braintree": """
        378282246310005 371449635398431 36259600000004 6011000991300009 3530111333300000 6304000000000000
        5555555555554444 2223000048400011 4111111111111111 4005519200000004 4009348888881881 4012000033330026
        4012000077777777 4012888888881881 4217651111111119 4500600000000061 6243030000000001 6221261111117766
        6223164991230014 4000111111111115 5105105105105100 378734493671000 6011000990139424 371260714673002
        378267515471109 371544868764018 4023898493988028 5066991111111118 6370950000000005 6062820524845321
        4229989800000003 4111111111131010 4229989700000004 4229989100000000 4111161010101010 4117101010101010
        4111111510101010 4111111114101010 4111111111111210 4229989900000002 4229989500000006 4111111141010101
        4111111111121102 4111111111310101 4111111111112101
    """,
    # docs.adyen.com: test card numbers, today's and earlier ones.
    "Adyen": """
        370000000000002 370000000100018 371449635398431 6703444444444449 4871049999999910 4360000001000005
        4035501428146300 4035501000000008 8171999927660000 8171999900000000021 6243030000000001 6250947000000014
        6250946000000016 5019555544445555 4571000000000001 36006666333344 36070500001020 30569309025904
        6011601160116611 6445644564456445 6011111111111117 3569990010095841 6771798021000008 6771798025000004
        5000550000000029 2222400070000005 5555341244441115 5577000055770004 5555444433331111 2222410740360010
        5555555555554444 2222410700000002 2222400010000008 2223000048410010 2222400060000007 2223520443560010
        2222400030000004 5100060000000002 2222400050000009 5103221911199245 5454545454545454 4111111145551142
        4111112014267661 4988438843884305 4166676667666746 4111111111111111 4444333322221111 4917610000000000
        4001020000000009 4013250000000000006 5101180000000007 5100290029002909 5136333333333335 5585558555855583
        5100705000000002 5106040000000008 4646464646464644 4000620000000007 4000060000000006 4293189100000008
        4988080000000000 4001590000000001 4000180000000002 4000020000000000 4000160000000004 4002690000000008
        4400000000000008 4484600000000004 4607000000000009 4977949494949497 4000640000000005 4003550000000003
        4000760000000001 4017340000000003 4005519000000006 4131840000000003 4151500000000008 4199350000000002
        5100081112223332 5500000000000004 5424000000000015 6062828888666688 5066991111111118 135410014004955
        371000000000001
    """,
    # developers.momo.vn, sandbox.vnpayment.vn: cards of Napas.
    "MoMo, VNPay": "9704000000000018 9704198526191432198",
}
NUMBERS = sorted({(source, number) for source, listed in PUBLISHED.items() for number in listed.split()})
#: The printed groups of a card number, by its length.
GROUPS = {13: (4, 3, 3, 3), 14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 18: (4, 4, 4, 4, 2), 19: (4, 4, 4, 4, 3)}
VISA, AMEX = "4242424242424242", "378282246310005"
SPACED = "4242 4242 4242 4242"


def grouped(number: str, separator: str) -> str:
    ends = [sum(GROUPS[len(number)][:count]) for count in range(len(GROUPS[len(number)]) + 1)]
    return separator.join(number[start:end] for start, end in itertools.pairwise(ends))


def in_digits_of(zero: int, text: str = VISA) -> str:
    """Write a text with other digits: fullwidth ones begin at U+FF10, bold mathematical ones at U+1D7CE."""
    return text.translate({48 + digit: zero + digit for digit in range(10)})


@for_each("source, number", NUMBERS)
def test_published_test_number_is_found(source: str, number: str) -> None:
    written = [
        number,
        *(grouped(number, separator) for separator in (" ", "-", "  ", "\N{NO-BREAK SPACE}", " - ", ".")),
    ]
    fours = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    for text in [*written, fours, f"Paid with {fours}, thanks."]:
        assert contains_card_number(text), text
        assert not any(part in redacted(text) for part in (number, fours))


@for_each(
    "text",
    [
        f"card {VISA}",
        f"card:{VISA}.",
        f"card{VISA}",
        f"Visa{VISA}",
        f"card_{VISA}",
        f"cc{VISA}",
        f"creditcardnumber{VISA}",
        f"Kreditkartennummer{SPACED}",
        f"n{SPACED}",
        f"CC{SPACED}exp 12/27",
        f"{SPACED}USD",
        f"{VISA}USD",
        f"{AMEX}EUR.",
        f"pan={VISA}and more",
        f"card{VISA}exp",
        f"card_number{VISA}",
        f"credit_card_no{VISA}USD",
        f"card_number_{VISA}USD",
        f"卡号{VISA}到期",
        f"{SPACED} 12/27 123",
        f"{SPACED} 1227 123",
        f"2026 {SPACED}",
        f"1. {VISA}",
        f"{VISA}\n{VISA}",
        f"+{VISA}",
        "3782 8224 6310 005",
        "3782-822463-10005",
        "4242\t4242\t4242\t4242",
        "4242\n4242\n4242\n4242",
        "4242\u20114242\u20134242\u22124242",
        "4242_4242_4242_4242",
        "620550 0000000000004",
        in_digits_of(0xFF10),
        in_digits_of(0xFF10, "4242\u30004242\u30004242\u30004242"),
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "४२४२ ४२४२ ४२४२ ४२४२",
        in_digits_of(0x1D7CE),
        "④②④②④②④②④②④②④②④②",
        "⁴²⁴²⁴²⁴²⁴²⁴²⁴²⁴²",
        "\u200b".join(VISA),
        "\u2060\u200d".join(VISA),
        "".join(f"{digit}\ufe0f\u20e3" for digit in VISA),
        "4242\xad4242\ufeff4242\u200c4242",
        "https://files.example/a?pan=4242%204242%204242%204242",
        "https://files.example/a?pan=4242+4242+4242+4242",
        repr("4242\xa04242\xa04242\xa04242"),
        json.dumps({"pan": "4242\u20024242\n4242\t4242"}),
        "".join(f"%{ord(digit):x}" for digit in VISA),
        "%EF%BC%94%EF%BC%92" * 8,
        "2205 0000 0000 0009",
        "1946 0000 0000 0005",
        "ZZ82 4242 4242 4242 4242",
        f"GB82 WEST 1234 5698 7654 33 {VISA}",
    ],
)
def test_card_number_is_found_however_it_is_written(text: str) -> None:
    assert contains_card_number(text)
    assert MASK in redacted(text)
    assert not contains_card_number(redacted(text))


ENTROPY = bytes(10)


@for_each(
    "text",
    [
        "4242424242424241",
        "4242 4242 4242 4241",
        "424242424242",
        "42424242424242424242",
        "0000000000000000",
        "7777777777777777",
        # Ids, hashes, and addresses on chains, made to hold a number.
        "pay_" + VISA + "abcdefghjk",
        "pay_01k9q2v8r7" + VISA,
        "cus_Abc" + VISA,
        "pi_3N" + VISA + "x",
        "ab" * 12 + VISA + "cd" * 12,
        "deadbeefdeadbeef" + VISA,
        "deadbeef" + VISA,
        "0x" + VISA + "52908400098527886E0F7030",
        "bc1q" + VISA + "kv8f3t4",
        "1A1zP1eP" + VISA + "DivfNa",
        "EQ" + VISA + "xEQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCi",
        VISA + "abcdef",
        VISA + "x",
        VISA + "ms",
        "4242424242424242006wei",
        VISA + "abcdefghjk_1",
        VISA + "AbcDefGhj1",
        "card_Abc" + VISA,
        "number_card_x" + VISA,
        "acct_" + VISA + "AbCdEfGhJk",
        "a1b2c3d4-4242-4242-4242-424242424242",
        "42424242-4242-4242-4242-424242424242",
        "afff4730-9880-4800-9448-86ce08f19894",
        make_id("pay", unix_ms=1_763_675_000_000, entropy=ENTROPY),
        hashlib.sha256(b"4242").hexdigest(),
        # IBANs from Stripe's tests and SWIFT's registry, whose digits alone would pass.
        "AT611904300234573201",
        "AT61 1904 3002 3457 3201",
        "DE89 3704 0044 0532 0130 00",
        "de89370400440532013000",
        "NO93 8601 1117 947",
        "GB82-WEST-1234-5698-7654-32",
        "abcd4242-4242-4242-4242-424242424242",
        "9f8e7d6c-4242-4242-4242-4242abcdef01",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        "IBANFI3540403329585605",
        "SA43 4442 5032 3786 0825 9971 12",
        # Times, amounts, phones.
        "2026-11-20T21:43:13.123456Z",
        "2026-11-20 21:43:13",
        "20261120 21431312",
        "0.4242424242424242",
        "12.4242424242424242",
        "+4915123456781",
        "+49 1512 3456781",
        "10.0.0.1 10.0.0.2 192.168.1.1",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13",
        "4242,4242,4242,4242",
        "4242:4242:4242:4242",
    ],
)
def test_other_numbers_are_left_unchanged(text: str) -> None:
    assert not contains_card_number(text)
    assert redacted(text) == text


def test_iban_that_hides_a_card_number_in_its_middle_is_an_iban() -> None:
    country, account = "GB", "WEST4000000000000002"[:18]
    check = 98 - int("".join(str(int(sign, 36)) for sign in account + country + "00")) % 97
    iban = f"{country}{check:02}{account}"
    assert not contains_card_number(iban)
    assert not contains_card_number(" ".join(iban[at : at + 4] for at in range(0, len(iban), 4)))


def test_number_counts_as_its_digits() -> None:
    assert number_contains_card_number(int(VISA))
    assert number_contains_card_number(Decimal("4.242424242424242E+15"))
    assert number_contains_card_number(Decimal(VISA + ".00"))
    assert not number_contains_card_number(1_763_675_000_123)
    assert not number_contains_card_number(Decimal("4.242424242424242"))


def test_address_is_read_as_a_server_reads_it() -> None:
    assert address_contains_card_number(f"/api/v1/payments/{SPACED}")
    assert address_contains_card_number("/api", b"note=4242+4242%204242-4242")
    assert address_contains_card_number("/api", b"%EF%BC%94%EF%BC%92" * 8)
    assert not address_contains_card_number("/api", b"limit=50&cursor=abc")


def test_redaction_leaves_the_rest_of_a_text() -> None:
    assert redacted(f"a {SPACED} b {AMEX}, c") == f"a {MASK} b {MASK}, c"
    assert redacted("é4\u200b242424242424242é") == f"é{MASK}é"
    assert redacted(f"{VISA}{VISA}") == f"{VISA}{VISA}"


def test_value_is_redacted_in_texts_names_and_numbers() -> None:
    value = {VISA: [int(VISA), Decimal(VISA), float(VISA), True, None, f"x {SPACED}"], "amount": 4242}
    assert without_card_numbers(value) == {MASK: [MASK, MASK, MASK, True, None, f"x {MASK}"], "amount": 4242}


def test_text_that_was_made_to_keep_the_rule_busy_is_refused_early() -> None:
    near = "4242424242424243 "
    assert not contains_card_number(near * 1000)
    assert contains_card_number(near * 10_000)


def test_document_is_redacted_whole() -> None:
    document = {"a": [{"b": SPACED}] * 50}
    assert SPACED not in json.dumps(without_card_numbers(document))
