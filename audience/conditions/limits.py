"""How large a definition may be. Stated in the schema's descriptions, too."""

CONDITIONS = 100
DEPTH = 5
FILTERS = 10
CHOICES = 500
METHODS = 50
TEXT = 500
PATTERN = 200
PATH = 200
PATH_PARTS = 10
SPAN_YEARS = 100
SEQUENCE_STEPS = 5
EARLIEST_YEAR = 1900
LATEST_YEAR = 2200
REFERENCES = 5
ALL_CONDITIONS = 500
BYTES = 500_000
NUMBER = 9_007_199_254_740_991  # beyond, doubles take whole numbers for others
