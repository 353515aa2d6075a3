"""How large a definition may be. Stated in the schema's descriptions, too."""

CONDITIONS = 100
DEPTH = 5
FILTERS = 10
CHOICES = 500
TEXT = 500
PATTERN = 200
PATH = 200
PATH_PARTS = 10
SPAN_YEARS = 100
SEQUENCE_STEPS = 5
EARLIEST_YEAR = 1900
LATEST_YEAR = 2200
