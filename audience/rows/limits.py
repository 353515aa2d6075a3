"""The limits of files that are imported."""

FILE_BYTES = 200_000_000
ROWS = 5_000_000
COLUMNS = 500
HEADER_LENGTH = 128
ROW_LENGTH = 1_000_000  # characters
CELL_LENGTH = 131_072  # characters; the csv module's own limit
HEAD_BYTES = 256_000  # what is looked at before anything is decided
SAMPLE_ROWS = 100

# Rows that are written together, and after which an import can be resumed.
BLOCK_ROWS = 2_000
BLOCK_LENGTH = 1_000_000  # characters

REJECTED_VALUE_LENGTH = 200
REJECTED_CELLS = 5  # told of one row
