"""Card numbers and codes as barcodes: small, self-contained SVG pictures that scan from a screen.

One writer, zxing-cpp, knows all three symbologies.
"""

import re
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import zxingcpp

from server.cards.rules import grouped_number

CACHED_COUNT = 1024
_CODE = re.compile(r"[A-Z0-9-]{1,24}")


class Symbology(StrEnum):
    """A kind of barcode."""

    QR = "qr"  # ISO/IEC 18004: a square that phones and modern scanners read
    CODE_128 = "code_128"  # ISO/IEC 15417: bars that every till's scanner reads
    AZTEC = "aztec"  # ISO/IEC 24778: a small square that reads well from worn screens


class _Drawing(NamedTuple):
    format: zxingcpp.BarcodeFormat
    name: str
    options: dict[str, str]
    quiet_columns: int  # modules on the left and on the right
    quiet_rows: int  # modules above and below


_DRAWINGS = {
    # Level H is the strongest; 16 digits still fit into the smallest symbol.
    Symbology.QR: _Drawing(zxingcpp.BarcodeFormat.QRCode, "QR", {"ec_level": "H"}, 4, 4),
    Symbology.CODE_128: _Drawing(zxingcpp.BarcodeFormat.Code128, "Code 128", {}, 10, 0),
    # The standard asks for none; two modules part the symbol from a dark page.
    Symbology.AZTEC: _Drawing(zxingcpp.BarcodeFormat.Aztec, "Aztec", {}, 2, 2),
}


@lru_cache(maxsize=CACHED_COUNT)
def svg(number: str, symbology: Symbology) -> str:
    """The card number as an SVG picture, always the same for the same number.

    One user unit is one module (the narrowest bar). The picture has no size of its own and fills
    its frame; black on a white ground with the quiet zone, so that it scans on a dark page too. Its
    title names the symbology and the number for screen readers; no text is printed below the bars,
    since it would depend on the reader's fonts. Raises ValueError for what is not digits.
    """
    if not (number.isascii() and number.isdigit()):
        raise ValueError("a card number has digits only")
    return _picture(number, grouped_number(number), _DRAWINGS[symbology])


@lru_cache(maxsize=CACHED_COUNT)
def code_svg(code: str, symbology: Symbology) -> str:
    """A code of capital letters, digits and hyphens as a picture, as `svg` draws a card number.
    Raises ValueError for anything else."""
    if not _CODE.fullmatch(code):
        raise ValueError("a code has capital letters, digits and hyphens only")
    return _picture(code, code, _DRAWINGS[symbology])


def _picture(text: str, title: str, drawing: _Drawing) -> str:
    rows = _modules(text, drawing)
    width = len(rows[0]) + 2 * drawing.quiet_columns
    height = len(rows) + 2 * drawing.quiet_rows
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' role="img" shape-rendering="crispEdges">'
        f"<title>{drawing.name} {title}</title>"
        f'<path fill="#fff" d="M0 0h{width}v{height}H0z"/>'
        f'<path fill="#000" d="{_path(rows, drawing)}"/></svg>'
    )


def _modules(text: str, drawing: _Drawing) -> list[list[bool]]:
    """The symbol without its quiet zone, row by row, true for dark; 50 equal rows for bars."""
    barcode = zxingcpp.create_barcode(text, drawing.format, **drawing.options)
    image = barcode.to_image(scale=1, add_hrt=False, add_quiet_zones=False)
    height, width = image.shape
    pixels = bytes(memoryview(image))  # type: ignore[arg-type] # a buffer, which its hints omit
    return [[pixel == 0 for pixel in pixels[y * width : (y + 1) * width]] for y in range(height)]


def _path(rows: list[list[bool]], drawing: _Drawing) -> str:
    """The dark modules as rectangles: equal runs below one another are one."""
    rectangles: list[str] = []
    growing: dict[tuple[int, int], int] = {}  # (left, width) of a run: its top row
    for y, row in enumerate([*rows, []]):
        runs = _dark_runs(row)
        for left, width in sorted(growing.keys() - runs):
            top = growing.pop((left, width))
            x = left + drawing.quiet_columns
            rectangles.append(f"M{x} {top + drawing.quiet_rows}h{width}v{y - top}H{x}z")
        for run in runs:
            growing.setdefault(run, y)
    return "".join(rectangles)


def _dark_runs(row: list[bool]) -> set[tuple[int, int]]:
    """The (left, width) of each unbroken run of dark modules in a row."""
    runs: set[tuple[int, int]] = set()
    left = 0
    for is_dark, modules in groupby(row):
        width = sum(1 for _ in modules)
        if is_dark:
            runs.add((left, width))
        left += width
    return runs
