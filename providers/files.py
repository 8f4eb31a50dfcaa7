"""Where files of exports are kept: a folder, or a bucket that speaks the API of S3.

The address of a bucket is `s3://bucket/prefix`; its keys, region and endpoint are in the variables of the AWS tools
(`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), or come from the machine's role.
Plain HTTP takes `AWS_ALLOW_HTTP=true`.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

#: How many bytes a client is sent at once.
CHUNK = 1 << 18


class Files:
    """A store of files by their paths. A file is there as a whole or not at all; putting it again replaces it."""

    def __init__(self, address: str) -> None:
        """Take a folder, which is made with the first file, or the address of a bucket. Nothing is asked yet."""
        self._address = address
        self._store: Any = None

    def _opened(self) -> Any:
        # Imported where it is used: most processes never write a file.
        if self._store is None:
            from obstore.store import LocalStore, from_url

            if "://" in self._address:
                self._store = from_url(self._address)
            else:
                folder = Path(self._address).absolute()
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._store = LocalStore(prefix=folder)
        return self._store

    def workplace(self, folder: str) -> Path | None:
        """Return where a file of a folder is prepared, so that what a killed process leaves is deleted with it.

        None for a bucket: where temporary files are.
        """
        if "://" in self._address:
            return None
        made = Path(self._address).absolute() / folder
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        return made

    async def put(self, path: str, content: Path | bytes) -> None:
        """Keep a file.

        Raises:
            BaseError: of `obstore.exceptions`; the store cannot be reached, or refused it.
        """
        # Few pieces at a time: each is held in memory.
        await self._opened().put_async(path, content, max_concurrency=2)

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """Return a file piece by piece.

        Raises:
            FileNotFoundError: there is none.
        """
        found = await self._opened().get_async(path)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

        return pieces()

    async def delete(self, folder: str) -> None:
        """Delete every file below a folder; one that is gone already is no error."""
        from obstore import delete_async, list_with_delimiter_async

        store = self._opened()
        listed = await list_with_delimiter_async(store, folder)
        paths = [each["path"] for each in listed["objects"]]
        if paths:
            await delete_async(store, paths)
