"""The static files, read once and kept in memory."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"

# Not asked of the machine: its table of MIME types may lack some or say otherwise.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Asset:
    """One static file."""

    body: bytes
    media_type: str
    digest: str

    @property
    def is_compressible(self) -> bool:
        """Whether gzip makes it smaller; WOFF2 is compressed already."""
        return self.media_type != "font/woff2"

    @cached_property
    def gzipped(self) -> bytes:
        """The body, compressed at the first request and kept."""
        return gzip.compress(self.body, compresslevel=6, mtime=0)


@dataclass(frozen=True)
class Assets:
    """All static files by their path below the static folder."""

    version: str
    """A hash over all names and contents: new files have new addresses."""
    files: Mapping[str, Asset]


@cache
def load_assets() -> Assets:
    """Reads the static folder."""
    files: dict[str, Asset] = {}
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file() and path.suffix in _MEDIA_TYPES:
            body = path.read_bytes()
            files[path.relative_to(_FOLDER).as_posix()] = Asset(
                body=body,
                media_type=_MEDIA_TYPES[path.suffix],
                digest=hashlib.sha256(body).hexdigest()[:16],
            )
    contents = "\n".join(f"{name} {asset.digest}" for name, asset in sorted(files.items()))
    return Assets(version=hashlib.sha256(contents.encode()).hexdigest()[:12], files=files)
