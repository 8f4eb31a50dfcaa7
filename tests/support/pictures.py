"""Small files of each format, as their standards have them; nothing in them can be seen."""

import zlib

SECRET = b"GPS 52.5,13.4"


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def png(width: int = 2, height: int = 2, *more: bytes) -> bytes:
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    drawn = zlib.compress((b"\0" + b"\x40\x80\xc0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join((chunk(b"IHDR", header), *more, chunk(b"IDAT", drawn), chunk(b"IEND", b"")))


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2) + data


def jpeg(width: int = 2, height: int = 2, *more: bytes) -> bytes:
    frame = segment(0xC0, b"\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x01\x01\x11\x00")
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    return b"\xff\xd8" + b"".join(more) + frame + scan + b"\xff\xd9"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def webp(width: int = 2, height: int = 2, *more: tuple[bytes, bytes]) -> bytes:
    sides = ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff((b"VP8X", b"\x2c\0\0\0" + canvas if more else b"\0\0\0\0" + canvas), *more, (b"VP8L", b"\x2f" + sides))
