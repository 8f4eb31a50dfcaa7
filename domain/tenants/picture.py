"""Pictures of agents and logos of organizations: their format, their bounds, and what is kept of a file.

Nothing is decoded. A file is taken apart into the parts of its format (PNG, section 5; JPEG, ITU T.81 annex B; WebP,
RFC 9649), and put together of those that draw it. Everything else is dropped: places and cameras in EXIF, XMP,
comments, colour profiles, thumbnails, animations, and bytes after the end.
"""

import hashlib
import re
from dataclasses import dataclass

from domain.common.errors import Invalid

#: The longest file in bytes, and the longest side in pixels.
MAX_BYTES = 128 * 1024
MAX_SIDE = 1024
#: Scans of a JPEG. Each passes over all its pixels when it is drawn.
MAX_SCANS = 100
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"IDAT", b"IEND"})
_WEBP_KEPT = frozenset({b"VP8X", b"ALPH", b"VP8 ", b"VP8L"})
#: Markers of a JPEG: frames (but DHT, JPG and DAC, which are among them), tables and restart intervals.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
_SCAN, _END, _ADOBE = 0xDA, 0xD9, 0xEE
#: The marker after the coded data of a scan, in which 0xFF is followed by 0 or by the number of a restart.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_ALPHA = 0x10


@dataclass(frozen=True, slots=True)
class Picture:
    """A checked picture; `sha256` is of its content, in hexadecimal digits."""

    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def checked_picture(file: bytes) -> Picture:
    """Return what is kept of a picture's file.

    Raises:
        Invalid: it is no PNG, JPEG or WebP, is damaged or animated, or exceeds `MAX_SIDE` or `MAX_SCANS`.
    """
    try:
        if file.startswith(_PNG):
            return Picture("image/png", _png(file))
        if file.startswith(_JPEG):
            return Picture("image/jpeg", _jpeg(file))
        if file[:4] == b"RIFF" and file[8:12] == b"WEBP":
            return Picture("image/webp", _webp(file))
    except IndexError:
        raise _damaged() from None
    raise Invalid("Send a picture as PNG, JPEG or WebP.", extra={"field": "picture"})


def _damaged() -> Invalid:
    return Invalid("The picture is damaged.", extra={"field": "picture"})


def _check_sides(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise Invalid(
            f"The picture has {width} by {height} pixels; each side can have up to {MAX_SIDE}.",
            extra={"field": "picture"},
        )


def _part(file: bytes, at: int, length: int) -> bytes:
    """Return a part of a file; raises `IndexError` where it ends before."""
    if at + length > len(file):
        raise IndexError
    return file[at : at + length]


def _png(file: bytes) -> bytes:
    header = _part(file, 8, 16)
    if header[4:8] != b"IHDR":
        raise _damaged()
    _check_sides(int.from_bytes(file[16:20]), int.from_bytes(file[20:24]))
    kept, at, kind = [_PNG], len(_PNG), b""
    while kind != b"IEND":
        chunk = _part(file, at, 12 + int.from_bytes(_part(file, at, 4)))
        kind, at = chunk[4:8], at + len(chunk)
        if kind in _PNG_KEPT:
            kept.append(chunk)
    return b"".join(kept)


def _jpeg(file: bytes) -> bytes:
    kept, at, marker, is_sized, scans = [_JPEG], len(_JPEG), 0, False, 0
    while marker != _END:
        if file[at] != 0xFF:
            raise _damaged()
        marker = file[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        segment = file[at : at + 2] if marker == _END else _part(file, at, 2 + int.from_bytes(_part(file, at + 2, 2)))
        at += len(segment)
        if marker in _FRAMES:
            _check_sides(int.from_bytes(segment[7:9]), int.from_bytes(segment[5:7]))
            is_sized = True
        # Adobe's segment, of 14 bytes, says how colours are coded.
        if marker in _FRAMES | _TABLES | {_SCAN, _END} or (marker == _ADOBE and segment[2:9] == b"\0\x0eAdobe"):
            kept.append(segment)
        if marker == _SCAN:
            ends = _AFTER_SCAN.search(file, at)
            scans += 1
            if ends is None or scans > MAX_SCANS:
                raise _damaged()
            kept.append(file[at : ends.start()])
            at = ends.start()
    if not is_sized:
        raise _damaged()
    return b"".join(kept)


def _webp(file: bytes) -> bytes:
    kept, at, is_drawn = [b"WEBP"], 12, False
    while at < len(file):
        kind, length = _part(file, at, 4), int.from_bytes(_part(file, at + 4, 4), "little")
        data = _part(file, at + 8, length)
        at += 8 + length + length % 2
        match kind:
            case b"VP8X":
                data = bytes([_part(data, 0, 10)[0] & _ALPHA]) + data[1:]
                _check_sides(1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little"))
            case b"VP8 ":
                _part(data, 0, 10)
                sides = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
                _check_sides(*sides)
            case b"VP8L":
                bits = int.from_bytes(_part(data, 1, 4), "little")
                _check_sides(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        is_drawn |= kind in {b"VP8 ", b"VP8L"}
        if kind in _WEBP_KEPT:
            kept.append(kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2))
    if not is_drawn:
        raise Invalid("The picture is damaged or animated.", extra={"field": "picture"})
    content = b"".join(kept)
    return b"RIFF" + len(content).to_bytes(4, "little") + content
