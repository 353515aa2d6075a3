"""Files of people, row by row: how a CSV file is read, what its columns mean, and how
rows are checked and written. No database."""

from audience.rows.columns import (
    Choice,
    Column,
    ConsentHint,
    ValueType,
    chosen_columns,
    property_header,
    suggested_columns,
)
from audience.rows.files import (
    Block,
    Encoding,
    Layout,
    blocks,
    header_name,
    layout_of,
)
from audience.rows.reading import Person, Reader, Rejection
from audience.rows.sheets import csv_line, safe_cell

__all__ = [
    "Block",
    "Choice",
    "Column",
    "ConsentHint",
    "Encoding",
    "Layout",
    "Person",
    "Reader",
    "Rejection",
    "ValueType",
    "blocks",
    "chosen_columns",
    "csv_line",
    "header_name",
    "layout_of",
    "property_header",
    "safe_cell",
    "suggested_columns",
]
