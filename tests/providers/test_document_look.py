"""A logo and a colour of the settings stand on documents, which stay fit for archives."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from pypdf import PdfReader

from domain.billing.document.content import Branding
from providers.documents.typst import Typst
from runtime.settings.console import LARGEST_LOGO, logo_of
from tests.support.documents import invoice

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="#0b5f5f"/></svg>'
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    rows = b"".join(b"\0" + b"\x0b\x5f\x5f" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("name", "content"), [("logo.svg", SVG.encode()), ("logo.png", png(40, 20))])
def test_logo_and_colour_stand_on_a_document_that_archives_take(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    plain, _ = Typst().render(invoice(1))
    pdf, is_whole = Typst(look=Branding(logo_of(path), "#0b5f5f")).render(invoice(1))
    assert is_whole
    assert pdf != plain
    [page] = PdfReader(io.BytesIO(pdf)).pages
    assert "Invoice" in page.extract_text()
    # The green of the logo and of the title.
    assert b"0.0431" in page.get_contents().get_data() or list(page.images)


@pytest.mark.parametrize(
    "content", [b"", b"<html></html>", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"<svg>" + b" " * LARGEST_LOGO]
)
def test_what_is_no_logo_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "logo"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="logo"):
        logo_of(path)
    with pytest.raises(ValueError, match="FileNotFoundError"):
        logo_of(tmp_path / "none.svg")
