"""The forms in which servers repeat what they were sent, and in which a leak is searched for."""

import base64
import html
import json
from collections.abc import Mapping
from urllib.parse import quote, quote_plus


def spellings(value: str) -> Mapping[str, bytes]:
    """Return a text in each form that is removed from answers, with other text around it."""
    raw = value.encode()
    forms: dict[str, bytes] = {
        "plain": raw,
        "upper": value.upper().encode() if value.isascii() else raw,
        "url": quote(value, safe="").encode(),
        "url, lower": quote(value, safe="").lower().encode() if value.isascii() else raw,
        "form": quote_plus(value).encode(),
        "url twice": quote(quote(value, safe=""), safe="").encode(),
        "every byte in percent": b"".join(b"%%%02X" % each for each in raw),
        "json": json.dumps(value)[1:-1].encode(),
        "json, unicode": json.dumps(value, ensure_ascii=False)[1:-1].encode(),
        "json in json": json.dumps(json.dumps(value))[3:-3].encode(),
        "json, slashes": json.dumps(value)[1:-1].replace("/", "\\/").encode(),
        "every character in json": "".join(
            f"\\u{value.encode('utf-16-be')[at : at + 2].hex()}" for at in range(0, len(value.encode("utf-16-be")), 2)
        ).encode(),
        "html": html.escape(value).encode(),
        "every character in html": "".join(f"&#{ord(each)};" for each in value).encode(),
        "every character in hex html": "".join(f"&#x{ord(each):X};" for each in value).encode(),
        "hex": raw.hex().encode(),
        "hex, upper": raw.hex().upper().encode(),
        "hex, colons": raw.hex(":").encode(),
        "hex, dump": raw.hex(" ").encode(),
        "hex, escaped": b"".join(b"\\x%02x" % each for each in raw),
        "utf-16": value.encode("utf-16-le"),
        "utf-32": value.encode("utf-32-be"),
    }
    for before in range(3):
        text = b"\xfb" * before + raw + b"\xfe:"
        forms[f"base64 + {before}"] = base64.b64encode(text)
        forms[f"base64, URL-safe + {before}"] = base64.urlsafe_b64encode(text).rstrip(b"=")
        forms[f"base64, URL-encoded + {before}"] = quote(base64.b64encode(text), safe="").encode()
        forms[f"base64, lines + {before}"] = base64.encodebytes(b"\xfb" * (before + 54) + raw + b"\xfe" * 9)
        forms[f"base64, JSON + {before}"] = json.dumps(
            base64.encodebytes(b"\xfb" * (before + 54) + raw + b"\xfe" * 9).decode()
        ).encode()
    return forms


def hidden_in(value: str, text: bytes) -> list[str]:
    """Return the forms of a value, or of most of it, that are in a text, however often the text was escaped."""
    raw, bare = value.encode(), _bare(text)
    cores = {
        f"base64 + {skipped}": base64.b64encode(b"\x00" * skipped + raw)[4 if skipped else 0 : -4]
        for skipped in range(3)
    }
    plain = {name: form for name, form in spellings(value).items() if "base64" not in name}
    found = [name for name, form in plain.items() if _bare(form) in bare]
    lines = bare.replace(b"n", b"")
    return found + [name for name, core in cores.items() if _bare(core) in bare or _bare(core, b"n") in lines]


def _bare(text: bytes, without: bytes = b"") -> bytes:
    """Return a text in lower case, without what escapes and divides it: the same for base64 of both alphabets."""
    return text.lower().translate(bytes.maketrans(b"-_", b"+/"), b" \r\n\t\\" + without)
