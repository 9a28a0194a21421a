import random

import pytest
import zxingcpp

from server.cards import barcodes, rules
from server.cards.barcodes import Symbology
from tests.cards import picture

NUMBER = "9012345678901238"
CODE_128_OF_NUMBER = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 143 50" role="img"'
    ' shape-rendering="crispEdges"><title>Code 128 9012 3456 7890 1238</title>'
    '<path fill="#fff" d="M0 0h143v50H0z"/><path fill="#000" d="'
    # start with code set C
    "M10 0h2v50H10zM13 0h1v50H13zM16 0h3v50H16z"
    # 90, 12, 34, 56, 78, 90, 12, 38
    "M21 0h2v50H21zM24 0h4v50H24zM29 0h2v50H29zM32 0h1v50H32zM34 0h2v50H34zM38 0h3v50H38z"
    "M43 0h1v50H43zM47 0h1v50H47zM49 0h2v50H49zM54 0h3v50H54zM60 0h1v50H60zM62 0h2v50H62z"
    "M65 0h2v50H65zM71 0h1v50H71zM73 0h1v50H73zM76 0h2v50H76zM79 0h4v50H79zM84 0h2v50H84z"
    "M87 0h1v50H87zM89 0h2v50H89zM93 0h3v50H93zM98 0h1v50H98zM102 0h2v50H102zM107 0h1v50H107z"
    # check: (105 + 1*90 + 2*12 + 3*34 + 4*56 + 5*78 + 6*90 + 7*12 + 8*38) % 103 = 9
    "M109 0h2v50H109zM113 0h1v50H113zM116 0h1v50H116z"
    # stop
    'M120 0h2v50H120zM125 0h3v50H125zM129 0h1v50H129zM131 0h2v50H131z"/></svg>'
)
READ_AS = {
    Symbology.QR: (zxingcpp.BarcodeFormat.QRCode, "]Q1"),
    Symbology.CODE_128: (zxingcpp.BarcodeFormat.Code128, "]C0"),
    Symbology.AZTEC: (zxingcpp.BarcodeFormat.Aztec, "]z0"),
}

symbologies = pytest.mark.parametrize("symbology", list(Symbology), ids=str)


def some_numbers(count: int) -> list[str]:
    chance = random.Random(20261121)
    return [rules.number_of(chance.randrange(rules.RANDOM_COUNT)) for _ in range(count)]


def only_reading(shown: picture.Picture, symbology: Symbology) -> str:
    """What is read from it, if it is the one barcode there and of the symbology."""
    (found,) = shown.barcodes()
    format_, identifier = READ_AS[symbology]
    assert found.symbology == format_
    assert found.symbology_identifier == identifier
    return found.text


@symbologies
def test_a_hundred_numbers_are_read_back(symbology: Symbology) -> None:
    numbers = [rules.number_of(0), rules.number_of(rules.RANDOM_COUNT - 1), *some_numbers(100)]
    for number in numbers:
        shown = picture.drawn(barcodes.svg(number, symbology)).enlarged(3)
        assert only_reading(shown, symbology) == number


@symbologies
@pytest.mark.parametrize("scale", [2, 5, 8])
def test_it_scans_on_a_black_page_at_every_size(symbology: Symbology, scale: int) -> None:
    shown = picture.drawn(barcodes.svg(NUMBER, symbology)).enlarged(scale, dark_frame=20)
    assert only_reading(shown, symbology) == NUMBER


@symbologies
def test_a_pair_of_nines_is_not_lost(symbology: Symbology) -> None:
    for number in ("9099999999999994", rules.number_of(9_999_999_999_999), "9900000000000003"):
        shown = picture.drawn(barcodes.svg(number, symbology)).enlarged(3)
        assert only_reading(shown, symbology) == number


@pytest.mark.parametrize(
    ("symbology", "size", "quiet_columns", "quiet_rows"),
    [
        (Symbology.QR, (29, 29), 4, 4),  # version 1, 21 x 21
        (Symbology.CODE_128, (143, 50), 10, 0),  # start, 8 pairs, check: 10 x 11; stop: 13
        (Symbology.AZTEC, (23, 23), 2, 2),  # compact, 2 layers, 19 x 19
    ],
    ids=str,
)
def test_the_symbol_is_the_smallest_and_keeps_its_quiet_zone(
    symbology: Symbology, size: tuple[int, int], quiet_columns: int, quiet_rows: int
) -> None:
    shown = picture.drawn(barcodes.svg(NUMBER, symbology))
    assert (shown.width, shown.height) == size
    dark = [(x, y) for y, row in enumerate(shown.rows) for x, pixel in enumerate(row) if not pixel]
    columns, rows = [x for x, _ in dark], [y for _, y in dark]
    assert (min(columns), shown.width - 1 - max(columns)) == (quiet_columns, quiet_columns)
    assert (min(rows), shown.height - 1 - max(rows)) == (quiet_rows, quiet_rows)


def test_the_qr_code_has_the_strongest_error_correction() -> None:
    (found,) = picture.drawn(barcodes.svg(NUMBER, Symbology.QR)).enlarged(4).barcodes()
    assert found.ec_level == "H"


@pytest.mark.parametrize(
    ("symbology", "title"),
    [
        (Symbology.QR, "QR 9012 3456 7890 1238"),
        (Symbology.CODE_128, "Code 128 9012 3456 7890 1238"),
        (Symbology.AZTEC, "Aztec 9012 3456 7890 1238"),
    ],
    ids=str,
)
def test_screen_readers_are_told_symbology_and_number(symbology: Symbology, title: str) -> None:
    assert picture.drawn(barcodes.svg(NUMBER, symbology)).title == title


@symbologies
def test_the_picture_is_small_and_always_the_same(symbology: Symbology) -> None:
    first = barcodes.svg(NUMBER, symbology)
    barcodes.svg.cache_clear()
    assert barcodes.svg(NUMBER, symbology) == first
    assert len(first.encode()) < 1400
    assert "." not in first.removeprefix('<svg xmlns="http://www.w3.org/2000/svg"')


def test_the_exact_bars_of_one_number() -> None:
    assert barcodes.svg(NUMBER, Symbology.CODE_128) == CODE_128_OF_NUMBER


@symbologies
@pytest.mark.parametrize("text", ["", "90 12", "<script>", "９０", "²"])
def test_nothing_but_digits_is_drawn(symbology: Symbology, text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        barcodes.svg(text, symbology)


def test_what_was_drawn_is_kept_within_bounds() -> None:
    barcodes.svg.cache_clear()
    barcodes.svg(NUMBER, Symbology.QR)
    barcodes.svg(NUMBER, Symbology.QR)
    assert barcodes.svg.cache_info()[:3] == (1, 1, barcodes.CACHED_COUNT)
