"""The files that a browser loads: read once, named by their content, kept by the browser for ever.

Styles are sent as one file and scripts as another, so that a first view is few requests. There is no build: they are
joined when the process starts, each script in a block of its own.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

STATIC = Path(__file__).resolve().parent / "static"
#: In the order in which they are joined; those that are not there yet are left out.
STYLES = ("tokens.css", "base.css", "parts.css")
SCRIPTS = (
    "console.js",
    "live.js",
    "keys.js",
    "pick.js",
    "palette.js",
    "drafts.js",
    "preview.js",
    "countdown.js",
    "charts.js",
)
FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    media_type: str
    content: bytes
    compressed: bytes


class Assets:
    """Every file of `static/`, by the name that pages use and by the name that browsers ask for."""

    def __init__(self, folder: Path = STATIC, accent: tuple[str, str] | None = None) -> None:
        """Read them; `accent` takes the place of ours, in the light and in the dark theme."""
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        joined = {
            "console.css": b"\n".join(files[name] for name in STYLES if name in files) + _branded(accent),
            "console.js": b"\n".join(b"{\n" + files[name] + b"\n}" for name in SCRIPTS if name in files),
        }
        kept = {name: content for name, content in files.items() if name not in {*STYLES, *SCRIPTS}}
        self._by_file: Mapping[str, Asset] = {name: _asset(name, content) for name, content in (kept | joined).items()}
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def url(self, file: str) -> str:
        """Return where a file is; raises KeyError for one that is not there."""
        return f"/console/assets/{self._by_file[file].name}"

    def inlined(self, file: str) -> str:
        """Return a small image as an address that holds it; raises KeyError for one that is not there."""
        asset = self._by_file[file]
        return f"data:{asset.media_type},{quote(asset.content)}"

    def answer(self, name: str, accepted: str) -> Response | None:
        """Return the file of that name, None when there is none."""
        asset = self._by_name.get(name)
        if asset is None:
            return None
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" in accepted:
            headers["Content-Encoding"] = "gzip"
            return Response(asset.compressed, headers=headers, media_type=asset.media_type)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _branded(accent: tuple[str, str] | None) -> bytes:
    """Return the meanings that an accent of the installation's own changes; grounds of ours stay neutral beside it."""
    if accent is None:
        return b""
    own = "light-dark({}, {})".format(*accent)
    meanings = {"accent": own, "accent-strong": own, "accent-soft": "var(--idle-soft)"}
    declared = " ".join(f"--{name}: {value};" for name, value in meanings.items())
    return f"\n:root {{ {declared} }}\n".encode()


def _asset(file: str, content: bytes) -> Asset:
    path = Path(file)
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(f"{path.stem}.{digest}{path.suffix}", _TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
