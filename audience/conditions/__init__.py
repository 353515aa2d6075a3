"""What a segment's author can say: the definition as a tree, its stored form, and the
rules that a definition keeps."""

from audience.conditions.reading import count_conditions, parse
from audience.conditions.tree import Definition
from audience.conditions.writing import to_json

__all__ = ["Definition", "count_conditions", "parse", "to_json"]
