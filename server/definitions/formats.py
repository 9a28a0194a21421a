"""How files of definitions are written."""

from enum import StrEnum


class FileFormat(StrEnum):
    """How a file is written."""

    YAML = "yaml"  # for people and for version control
    CSV = "csv"  # for spreadsheets
