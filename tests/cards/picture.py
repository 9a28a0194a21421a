"""A strict reader of the barcodes' SVG: it draws them, and fails on whatever else they hold."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

import zxingcpp

SVG = "{http://www.w3.org/2000/svg}"
_RECTANGLE = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)H(\d+)z")
_COLOURS = {"#fff": 255, "#000": 0}


@dataclass
class Picture:
    """Grey pixels, row by row: 0 is black."""

    title: str
    width: int  # modules
    height: int
    rows: list[bytearray]

    def enlarged(self, scale: int, *, dark_frame: int = 0) -> "Picture":
        """At `scale` pixels a module, on a black page of `dark_frame` modules around it."""
        side = bytes(dark_frame)
        framed = [
            *[bytearray(self.width + 2 * dark_frame)] * dark_frame,
            *[bytearray(side + row + side) for row in self.rows],
            *[bytearray(self.width + 2 * dark_frame)] * dark_frame,
        ]
        rows = [
            bytearray(pixel for pixel in row for _ in range(scale))
            for row in framed
            for _ in range(scale)
        ]
        return Picture(self.title, self.width, self.height, rows)

    def barcodes(self) -> list[zxingcpp.Barcode]:
        """What a scanner reads in it."""
        pixels = memoryview(b"".join(self.rows))
        return list(zxingcpp.read_barcodes(pixels.cast("B", (len(self.rows), len(self.rows[0])))))


def drawn(svg: str) -> Picture:
    """The picture at one pixel a module. Fails on anything but a title and paths of rectangles."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - made by the code under test
    assert root.tag == f"{SVG}svg"
    assert set(root.attrib) == {"viewBox", "role", "shape-rendering"}
    assert root.attrib["role"] == "img"
    assert root.attrib["shape-rendering"] == "crispEdges"
    left, top, width, height = map(int, root.attrib["viewBox"].split(" "))
    assert (left, top) == (0, 0)
    title, *paths = root
    assert title.tag == f"{SVG}title"
    assert not title.attrib
    rows = [bytearray(b"\x80" * width) for _ in range(height)]
    for path in paths:
        assert path.tag == f"{SVG}path"
        assert set(path.attrib) == {"fill", "d"}
        assert not len(path)
        _fill(rows, path.attrib["d"], _COLOURS[path.attrib["fill"]])
    assert all(pixel in (0, 255) for row in rows for pixel in row)
    return Picture(title.text or "", width, height, rows)


def _fill(rows: list[bytearray], commands: str, colour: int) -> None:
    if commands.startswith("M0 0h") and colour:
        ground = re.fullmatch(r"M0 0h(\d+)v(\d+)H0z", commands)
        assert ground is not None
        assert (int(ground[1]), int(ground[2])) == (len(rows[0]), len(rows))
    assert re.fullmatch(f"({_RECTANGLE.pattern})+", commands)
    for rectangle in _RECTANGLE.finditer(commands):
        x, y, width, height, back_to = map(int, rectangle.groups())
        assert back_to == x
        assert width > 0 < height
        for row in rows[y : y + height]:
            assert x + width <= len(row)
            assert colour or not any(pixel != 255 for pixel in row[x : x + width])
            row[x : x + width] = bytes([colour]) * width
