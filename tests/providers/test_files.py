"""Where files of exports are kept: the same for a folder and for a bucket that speaks the API of S3."""

import os
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from dev.sandbox.s3 import Bucket
from providers.files import Files
from tests.support.sandboxes import serving

#: Larger than a part of an upload.
LARGE = os.urandom(6 << 20)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    made = Bucket()
    with serving(made.app) as url:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            # The run of tests hides the machine's roots, and the library does not do without any.
            "SSL_CERT_FILE": certifi.where(),
        }.items():
            monkeypatch.setenv(name, value)
        yield made


async def read(files: Files, path: str) -> bytes:
    return b"".join([piece async for piece in await files.read(path)])


async def keeps_files(files: Files, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    await files.put("exp_1/a.csv", tmp_path / "large")
    for content in (b"first", b"second"):
        await files.put("exp_1/manifest.json", content)
    await files.put("exp_2/a.csv", b"other")
    assert await read(files, "exp_1/a.csv") == LARGE
    assert await read(files, "exp_1/manifest.json") == b"second"
    for _ in range(2):
        await files.delete("exp_1")
    with pytest.raises(FileNotFoundError):
        await files.read("exp_1/a.csv")
    assert await read(files, "exp_2/a.csv") == b"other"


async def test_a_folder_keeps_files(tmp_path: Path) -> None:
    await keeps_files(Files(str(tmp_path / "kept")), tmp_path)


async def test_a_bucket_keeps_files_below_its_prefix(bucket: Bucket, tmp_path: Path) -> None:
    await keeps_files(Files("s3://books/exports"), tmp_path)
    assert bucket.objects == {"exports/exp_2/a.csv": b"other"}
    assert bucket.uploads == {}
