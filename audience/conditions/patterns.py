"""Regular expressions that are safe to run on every profile.

A small part of the common syntax is accepted, in which a match never takes long: no
references back, no looking around, no unbounded repetition inside a repetition, at
most two of those at all, few ways to combine alternatives, and a size that MongoDB
compiles. What is accepted means the same in MongoDB and in Python.
"""

from dataclasses import dataclass

from audience.conditions import limits

UNBOUNDED = 2
LARGEST_REPEAT = 100
WAYS = 1_000
SIZE = 1_000
RANGE = 10  # so many characters does a range beyond ASCII count, with both cases in it

_EDGES = ("^", "$", r"\b", r"\B")
_QUANTIFIERS = tuple("*+?{")

_CLASSES = "dDwWsS"
_CONTROLS = "tnrfv"
_SPECIAL = set("\\^$.|?*+()[]{}")


class UnsafePattern(ValueError):
    """The pattern is malformed, or outside of what is accepted; says why."""


def check_pattern(pattern: str) -> None:
    """UnsafePattern unless `pattern` may be run on every profile."""
    if not pattern:
        raise UnsafePattern("it is empty")
    if len(pattern) > limits.PATTERN:
        raise UnsafePattern(
            f"it has {len(pattern)} characters; at most {limits.PATTERN} are allowed"
        )
    scanner = _Scanner(pattern)
    ways = scanner.alternatives()
    if scanner.place < len(pattern):
        raise UnsafePattern(f"the ) at character {scanner.place + 1} closes nothing")
    if scanner.unbounded > UNBOUNDED:
        raise UnsafePattern(
            f"it has {scanner.unbounded} of *, + and {{n,}}; "
            f"at most {UNBOUNDED} are allowed"
        )
    if ways > WAYS:
        raise UnsafePattern(
            "its alternatives and optional parts can be combined in too many ways; "
            f"at most {WAYS} are allowed"
        )
    if scanner.size > SIZE:
        raise UnsafePattern(
            f"with its repeated groups written out it has {scanner.size} characters, "
            f"a range beyond ASCII counted as {RANGE}; at most {SIZE} are allowed"
        )


@dataclass(slots=True)
class _Scanner:
    """Reads the pattern once. Each part answers in how many ways it can match,
    repetitions without an upper bound left aside: those are counted. So is the size:
    characters, those of a group as often as it may be repeated."""

    pattern: str
    place: int = 0
    unbounded: int = 0
    size: int = 0

    def peek(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def alternatives(self) -> int:
        every, ways = 0, 1
        while self.place < len(self.pattern) and self.peek() != ")":
            if self.peek() == "|":
                self.place += 1
                self.size += 1
                every, ways = every + ways, 1
            else:
                ways = min(ways * self.term(), 2 * WAYS)
        return every + ways

    def term(self) -> int:
        before, opened, size = self.unbounded, self.place, self.size
        ways = self.atom()
        inside = self.unbounded - before
        least, most = self.quantifier()
        if self.pattern[opened] == "(":
            self.size = size + (self.size - size + 2) * max(most or least, 1)
        else:
            self.size += self.place - opened
        if (least, most) == (1, 1):
            return ways
        if inside:
            raise UnsafePattern(
                f"the part at character {opened + 1} is repeated and contains "
                "another repetition without an upper bound"
            )
        if most is None:
            self.unbounded += 1
            if ways > 1:
                raise UnsafePattern(
                    f"the part at character {opened + 1} has alternatives and is "
                    "repeated without an upper bound: write [ab]* for (a|b)*"
                )
            return 1
        every = 0
        for times in range(least, most + 1):
            every += ways ** min(times, 20)
        return min(every, 2 * WAYS)

    def atom(self) -> int:
        start = self.place
        character = self.peek()
        self.place += 1
        match character:
            case "(":
                return self.group()
            case "[":
                self.character_class()
            case "\\":
                self.escape(also="bB")
            case "*" | "+" | "?" | "{":
                raise UnsafePattern(
                    f"the {character} at character {self.place} repeats nothing"
                )
            case "\0":
                raise UnsafePattern("it contains a NUL character")
        edge = self.pattern[start : self.place]
        if edge in _EDGES and self.peek() in _QUANTIFIERS:
            raise UnsafePattern(f"{edge} cannot be repeated")
        return 1

    def group(self) -> int:
        opened = self.place
        if self.peek() == "?":
            if self.pattern[self.place : self.place + 2] != "?:":
                raise UnsafePattern(
                    "of the groups that begin with (? only (?:...) is accepted"
                )
            self.place += 2
        elif self.peek() == "*":
            raise UnsafePattern("groups that begin with (* are not accepted")
        ways = self.alternatives()
        if self.peek() != ")":
            raise UnsafePattern(f"the ( at character {opened} is not closed")
        self.place += 1
        return ways

    def quantifier(self) -> tuple[int, int | None]:
        character = self.peek()
        least: int
        most: int | None
        if character in ("*", "+"):
            least, most = int(character == "+"), None
            self.place += 1
        elif character == "?":
            least, most = 0, 1
            self.place += 1
        elif character == "{":
            least, most = self.bounds()
        else:
            return 1, 1
        if self.peek() == "?":
            self.place += 1
        if self.peek() in _QUANTIFIERS:
            raise UnsafePattern(
                f"the {self.peek()} at character {self.place + 1} repeats a repetition"
            )
        return least, most

    def bounds(self) -> tuple[int, int | None]:
        end = self.pattern.find("}", self.place)
        parts = self.pattern[self.place + 1 : max(end, self.place)].split(",")
        wrong = UnsafePattern(
            f"the {{ at character {self.place + 1} must be written {{n}}, {{n,}} "
            f"or {{n,m}} with numbers up to {LARGEST_REPEAT}; as a text, write \\{{"
        )
        numbers = [part for part in parts if part]
        if end < 0 or not 1 <= len(parts) <= 2 or not parts[0]:
            raise wrong
        if not all(it.isascii() and it.isdigit() and len(it) < 4 for it in numbers):
            raise wrong
        values = [int(part) for part in numbers]
        if max(values) > LARGEST_REPEAT or values != sorted(values):
            raise wrong
        self.place = end + 1
        if len(numbers) < len(parts):
            return values[0], None
        return values[0], values[-1]

    def escape(self, also: str = "") -> None:
        character = self.peek()
        self.place += 1
        if character in _SPECIAL or (character and character in "/-&~#@%,:;=!<>'\"` _"):
            return
        if character and character in _CLASSES + _CONTROLS + also:
            return
        raise UnsafePattern(
            f"\\{character} is not accepted; of the letters \\d \\w \\s \\b, their "
            "capitals and \\t \\n \\r \\f \\v are"
        )

    def character_class(self) -> None:
        opened = self.place
        if self.peek() == "^":
            self.place += 1
        empty = True
        previous: str | None = None
        while self.peek() != "]":
            character = self.peek()
            if not character:
                raise UnsafePattern(f"the [ at character {opened} is not closed")
            if character == "[":
                raise UnsafePattern("inside [...] a [ is written \\[")
            if character == "\0":
                raise UnsafePattern("it contains a NUL character")
            end = self._range_end() if character == "-" else None
            if previous is not None and end is not None:
                if previous == "\\":
                    raise UnsafePattern("a range in [...] cannot begin with an escape")
                if end < previous:
                    raise UnsafePattern(f"the range {previous}-{end} is backwards")
                self.place += 2
                if not end.isascii():
                    self.size += RANGE - len("a-z")
                previous = None
                continue
            self.place += 1
            previous = character
            if character == "\\":
                self.escape()
            if character in "-&~|" and self.peek() == character:
                raise UnsafePattern(f"inside [...] {character} is written once")
            empty = False
        if empty:
            raise UnsafePattern(f"the [ at character {opened} contains nothing")
        self.place += 1

    def _range_end(self) -> str | None:
        after = self.pattern[self.place + 1 : self.place + 2]
        if after == "\\":
            raise UnsafePattern("a range in [...] cannot end with an escape")
        return after if after and after != "]" else None
