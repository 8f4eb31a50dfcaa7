"""Detection of card numbers (PANs) in user input, so that none is ever stored.

A card number has 13 to 19 digits, contiguous or grouped as on cards, with the prefix and length of an issuer, and
passes the Luhn check (ISO/IEC 7812-1, annex B). All decimal digits of Unicode count, with invisible characters between
them. A word of letters can precede or follow, such as a field name or a currency. Digits within a longer word of
letters and digits (an id, a hash, an address on a chain), an international phone number (E.164), the fraction of a
decimal number or a valid IBAN (ISO 13616) are not a card number.

Issuers' ranges and lengths: Wikipedia, "Payment card number"; github.com/braintree/credit-card-type; groups: Baymard
Institute, "Credit card patterns". Lengths of IBANs: SWIFT, IBAN registry.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from urllib.parse import unquote, unquote_plus

#: Replacement of a card number in a redacted text.
MASK = "[card number]"

_LONG = range(16, 20)
#: Issuer, prefixes and numbers of digits. Ranges overlap where networks accept each other's cards.
_ISSUERS: tuple[tuple[str, str, Sequence[int]], ...] = (
    ("Visa, V Pay, Visa Electron", "4", (13, 16, 18, 19)),
    ("Mastercard: 51-55, 2221-2720", "5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    ("American Express", "3[47]", (15,)),
    ("Diners Club: 300-305, 309, 36, 38, 39", "30[0-59]|3[689]", range(14, 20)),
    ("Discover", "6011|64[4-9]|65", _LONG),
    ("JCB: 3528-3589", "352[89]|35[3-8]", _LONG),
    ("JCB before 1989", "1800|2131", (15,)),
    ("JCB before 1989", "308[89]|309[0-46-9]|310[0-2]|311[2-9]|3120|315[89]|333[7-9]|334", (16,)),
    ("UnionPay", "62|81", range(14, 20)),
    ("Maestro, Bancontact, Dankort, Elo, Hipercard, RuPay, Verve", "50|5[6-9]|6", range(13, 20)),
    ("Mir, BORICA", "220[0-5]", _LONG),
    ("RuPay", "82|35[36]", (16,)),
    ("Uzcard, Troy, Humo, GPN", "8600|9792|9860|1946", (16,)),
    ("Napas", "9704", (16, 19)),
    ("UATP", "1", (15,)),
)
_BEGINNINGS = {
    length: re.compile("|".join(beginning for _, beginning, lengths in _ISSUERS if length in lengths))
    for length in range(13, 20)
}
_ANY_BEGINNING = "|".join(beginning for _, beginning, _ in _ISSUERS)

#: Separators of groups: one to three characters, also as escaped by Python and JSON.
_ESCAPED = r"\\(?:[nrt]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})"
_S = rf"(?:[\s._/+\-\xb7\u2010-\u2015\u2022\u2043\u2212\uff0d]|{_ESCAPED}){{1,3}}"
#: Groupings of digits on cards and in forms, and those that can match twice at one position.
_GROUPED = "|".join(
    (
        f"[0-9]{{4}}{_S}[0-9]{{4}}{_S}(?:[0-9]{{4}}{_S}[0-9]{{1,4}}|[0-9]{{5}})",  # 4-4-4-4, 4-4-4-3, 4-4-5
        f"[0-9]{{4}}{_S}(?:[0-9]{{6}}{_S}[0-9]{{4,5}}|[0-9]{{5}}{_S}[0-9]{{6}})",  # 4-6-5, 4-6-4, 4-5-6
        f"[0-9]{{4}}(?:{_S}[0-9]{{3}}){{3}}|[0-9]{{6}}{_S}[0-9]{{13}}",  # 4-3-3-3, 6-13
    )
)
_LONGER = f"[0-9]{{4}}(?:{_S}[0-9]{{4}}){{3}}{_S}[0-9]{{1,3}}"


def _form(digits: str) -> "re.Pattern[str]":
    return re.compile(rf"(?<![0-9])(?={_ANY_BEGINNING})(?=({digits})(?![0-9]))")


_FORMS = (_form(f"[0-9]{{13,19}}|{_GROUPED}"), _form(_LONGER))

_SEPARATORS = re.compile(_S)
_SPACED = re.compile(r"[0-9]+(?:\s+[0-9]+)+")

#: Fast check: a text without a match contains no card number.
_MANY_DIGITS = re.compile(f"[0-9]{{4}}(?:[0-9]{{9}}|{_S}[0-9]{{3,6}}{_S}[0-9]{{3}}|[0-9]{{2}}{_S}[0-9]{{13}})")
#: Digits beyond ASCII: all decimal digits, also circled, superscript and subscript ones.
_OTHER_DIGIT = re.compile(
    r"[^\D0-9]|[\xb2\xb3\xb9\u1369-\u1371\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490"
    "\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792]"
)
#: Invisible characters between digits: format characters, fillers, selectors, combining marks.
_HIDDEN = re.compile(
    "[\x80-\x9f\xad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u20d0-\u20f0\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)

_IBAN = re.compile(r"(?<![0-9A-Za-z])(?:[Ii][Bb][Aa][Nn])?([A-Za-z]{2}[0-9]{2})(?=[ -]?[0-9A-Za-z])")
#: SWIFT's registry: country and length.
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30 "
)
_IBAN_LENGTHS = {country: int(length) for country, length in re.findall("([A-Z]{2})([0-9]{2})", _IBANS)}
#: A word directly before a number, such as `card4242…`: no id has this form, see `_begins_an_id`.
_LONGEST_WORD = 32
_WORD_BEFORE = re.compile(rf"(?<![0-9A-Za-z_])[A-Za-z]{{2,{_LONGEST_WORD}}}\Z")
#: The last word of a field name directly before a number, such as `card_number4242…`; ids begin differently.
_NAME_BEFORE = re.compile(r"(?<![0-9A-Za-z])(?:[A-Za-z]+_)+(?:card|cc|no|nr|num|number|pan)_?\Z", re.IGNORECASE)
#: A word directly after a number, such as `4242…USD`. No id ends with one; units of time and coins are excluded.
_WORD_AFTER = re.compile(rf"[A-Za-z]{{2,{_LONGEST_WORD}}}(?![0-9A-Za-z_])")
_UNITS = frozenset({"gwei", "ms", "ns", "us", "wei"})
_MAX_TRIES = 2000
_PHONE_DIGITS = 15
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit of the others."""
    signs = digits.encode()
    return (sum(signs[-1::-2]) + sum(signs[-2::-2].translate(_DOUBLED)) - 48 * len(signs)) % 10 == 0


def is_issued(digits: str) -> bool:
    """Return whether an issuer's card numbers have this prefix and length."""
    beginning = _BEGINNINGS.get(len(digits))
    return beginning is not None and beginning.match(digits) is not None


def may_contain_card_number(text: str) -> bool:
    """Return whether a text needs the full check. False positives are possible, false negatives are not."""
    return any(_MANY_DIGITS.search(_plain(form)) for form in _decodings(text))


def contains_card_number(text: str) -> bool:
    """Return whether a text contains a card number, also percent-encoded.

    A text with thousands of candidates that fail the Luhn check counts as containing one: it was made to cost time.
    """
    return any(_found_as_it_stands(form) for form in _decodings(text))


def number_contains_card_number(number: int | Decimal) -> bool:
    """Return whether the digits of a number contain a card number."""
    return contains_card_number(str(number) if isinstance(number, int) else f"{number:f}")


def address_contains_card_number(path: str, query: bytes = b"") -> bool:
    """Return whether a URL path or query contains a card number."""
    return contains_card_number(path) or (
        len(query) > 12 and contains_card_number(unquote_plus(query.decode("latin-1")))
    )


def redacted(text: str) -> str:
    """Replace all card numbers in a text; if needed in its percent-decoded form."""
    if not may_contain_card_number(text):
        return text
    masked = _masked(text)
    return _masked(unquote(masked)) if contains_card_number(masked) else masked


def without_card_numbers(value: object) -> object:
    """Replace all card numbers in the texts, names and numbers of a JSON value."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal | float):
        return (
            MASK if number_contains_card_number(Decimal(str(value)) if isinstance(value, float) else value) else value
        )
    if isinstance(value, Mapping):
        return {without_card_numbers(name): without_card_numbers(item) for name, item in value.items()}
    return [without_card_numbers(item) for item in value] if isinstance(value, list | tuple) else value


def _decodings(text: str) -> Iterator[str]:
    yield text
    if "%" in text:
        yield unquote(text)


def _found_as_it_stands(text: str) -> bool:
    plain = _plain(text)
    if _MANY_DIGITS.search(plain) is None:
        return False
    return any(span is not None or tries == _MAX_TRIES for tries, span in enumerate(_candidates(plain)))


def _plain(text: str) -> str:
    """Convert all digits to ASCII, and remove invisible characters between them."""
    if text.isascii():
        return text
    return _HIDDEN.sub("", _OTHER_DIGIT.sub(_ascii_digit, text))


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match.group()))


def _masked(text: str) -> str:
    # Digits are replaced one for one, so that only what is hidden moves the places of the rest.
    folded = text if text.isascii() else _OTHER_DIGIT.sub(_ascii_digit, text)
    kept: Sequence[int] = range(len(folded))
    if not folded.isascii() and _HIDDEN.search(folded):
        kept = [at for at, sign in enumerate(folded) if not _HIDDEN.match(sign)]
        folded = "".join(folded[at] for at in kept)
    parts, end = [], 0
    for start, stop in sorted(_spans(folded)):
        if kept[start] >= end:
            parts += [text[end : kept[start]], MASK]
        end = max(end, kept[stop - 1] + 1)
    return "".join([*parts, text[end:]])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Return the spans of card numbers in a text of plain digits; they may overlap."""
    return (span for span in _candidates(text) if span is not None)


def _candidates(text: str) -> Iterator[tuple[int, int] | None]:
    """Yield the span of each candidate that is a card number, and None for the others."""
    ibans: list[tuple[int, int]] | None = None
    for form in _FORMS:
        for match in form.finditer(text):
            start, stop = match.span(1)
            digits = match.group(1)
            if not digits.isdigit():
                digits = _SEPARATORS.sub("", digits)
            if not is_issued(digits) or not passes_luhn(digits):
                yield None
            elif not _is_of_more(text, start, stop, len(digits)):
                ibans = list(_ibans(text)) if ibans is None else ibans
                if not any(first <= start < last for first, last in ibans):
                    yield start, stop


def _is_of_more(text: str, start: int, stop: int, digits: int) -> bool:
    """Return whether the adjacent characters make digits part of an id, a phone number or a fraction."""
    before = text[max(0, start - _LONGEST_WORD - 1) : start]
    if before.endswith("+"):
        return digits <= _PHONE_DIGITS
    if before.endswith("."):
        return before[-2:-1].isdecimal()
    # No id has spaces, so letters may touch groups that spaces divide.
    return not _SPACED.fullmatch(text, start, stop) and (_begins_an_id(before) or _ends_an_id(text, stop, before))


def _begins_an_id(before: str) -> bool:
    if not _is_letter(before[-1:]) or _NAME_BEFORE.search(before):
        return False
    word = _WORD_BEFORE.search(before)
    # Letters that are all hexadecimal are the beginning of a UUID or a hash, unless they name a kind of number.
    return word is None or (_is_hexadecimal(word.group()) and word.group().lower() != "cc")


def _ends_an_id(text: str, stop: int, before: str) -> bool:
    if not _is_letter(text[stop : stop + 1]):
        return False
    word = _WORD_AFTER.match(text, stop)
    if word is None or word.group().lower() in _UNITS or _is_hexadecimal(word.group()):
        return True
    # Behind `pay_`, digits and letters together are an id.
    return before.endswith("_") and not _NAME_BEFORE.search(before)


def _is_hexadecimal(letters: str) -> bool:
    return set(letters.lower()) <= set("abcdef")


def _is_letter(sign: str) -> bool:
    return sign.isascii() and sign.isalpha()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """Return the spans of valid IBANs, contiguous or grouped."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match.group(1)[:2].upper(), 0)
        signs, at = "", match.start(1)
        while len(signs) < length and at < len(text):
            sign = text[at]
            if sign.isascii() and sign.isalnum():
                signs += sign.upper()
            elif sign not in " -":
                break
            at += 1
        whole = not (text[at : at + 1].isascii() and text[at : at + 1].isalnum())
        if length and len(signs) == length and whole and _is_iban(signs):
            yield match.start(1), at


def _is_iban(signs: str) -> bool:
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1
