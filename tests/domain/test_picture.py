"""Files of pictures: the parts that are kept, and files that are refused."""

import pytest

from domain.common.errors import Invalid
from domain.tenants.picture import MAX_SCANS, MAX_SIDE, checked_picture
from tests.support.pictures import SECRET, chunk, jpeg, png, riff, segment, webp

PLAIN = {"image/png": png(), "image/jpeg": jpeg(), "image/webp": webp()}
SPOKEN = {
    "image/png": png(2, 2, chunk(b"tEXt", SECRET), chunk(b"eXIf", SECRET), chunk(b"iCCP", SECRET)) + SECRET,
    "image/jpeg": jpeg(2, 2, segment(0xE1, b"Exif\0\0" + SECRET), segment(0xFE, SECRET)) + SECRET,
    "image/webp": webp(2, 2, (b"EXIF", SECRET), (b"XMP ", SECRET), (b"ICCP", SECRET)),
}


@pytest.mark.parametrize("media_type", PLAIN)
def test_of_a_file_only_what_draws_it_is_kept(media_type: str) -> None:
    kept = checked_picture(SPOKEN[media_type])
    assert (kept.media_type, kept.content) == (media_type, PLAIN[media_type])
    assert checked_picture(kept.content) == kept


def test_colours_of_an_adobe_jpeg_stay_as_they_are() -> None:
    file = jpeg(2, 2, segment(0xEE, b"Adobe\0\x64\0\0\0\0\2"))
    assert checked_picture(file).content == file


def test_text_in_the_segment_of_adobe_is_not_kept() -> None:
    kept = checked_picture(jpeg(2, 2, segment(0xEE, b"Adobe\0\x64\0\0\0\0\2" + SECRET)))
    assert SECRET not in kept.content


def test_jpeg_of_more_scans_than_it_needs_is_refused() -> None:
    file = jpeg()
    scan = file[file.index(b"\xff\xda") : -2]
    assert checked_picture(file[:-2] + scan * (MAX_SCANS - 1) + file[-2:])
    with pytest.raises(Invalid):
        checked_picture(file[:-2] + scan * MAX_SCANS + file[-2:])


@pytest.mark.parametrize("draw", [png, jpeg, webp])
def test_sides_are_bounded_by_the_header(draw) -> None:
    assert checked_picture(draw(MAX_SIDE, 1)).content == draw(MAX_SIDE, 1)
    for width, height in ((MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)):
        with pytest.raises(Invalid, match=f"{width} by {height} pixels"):
            checked_picture(draw(width, height))


@pytest.mark.parametrize("draw", [png, jpeg, webp])
def test_file_that_ends_early_is_refused(draw) -> None:
    file = draw()
    for length in range(12, len(file) - 1):
        with pytest.raises(Invalid):
            checked_picture(file[:length])


@pytest.mark.parametrize(
    "file",
    [
        *(b"", b"\xff\xd8", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a\1\0\1\0", b"\xff\xd8\xff\xd9"),
        riff((b"VP8X", b"\x02\0\0\0" + bytes(6)), (b"ANIM", bytes(6)), (b"ANMF", bytes(24))),
        b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", bytes(20)),
    ],
)
def test_other_files_are_refused(file: bytes) -> None:
    with pytest.raises(Invalid):
        checked_picture(file)
