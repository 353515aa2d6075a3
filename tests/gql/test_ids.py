import pytest

from audience.errors import Code, InvalidInput, Problem
from gql.ids import Kind, global_id, read_id, stored_id

STORED = "0123456789abcdef01234567"


@pytest.mark.parametrize("kind", Kind)
def test_an_id_tells_its_kind_both_ways(kind: Kind) -> None:
    shown = global_id(kind)(STORED)

    assert shown == f"{kind.value}_{STORED}"
    assert read_id(shown) == (kind, STORED)
    assert stored_id(shown, kind) == STORED


def test_the_wrong_kind_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        stored_id(f"lst_{STORED}", Kind.PROFILE, "profileIds", "2")

    assert refused.value.problems == (
        Problem(
            Code.INVALID,
            f"lst_{STORED} is the id of a list; the id of a profile is wanted here, "
            "which starts with prf_.",
            ("profileIds", "2"),
        ),
    )


@pytest.mark.parametrize(
    "value", ["", STORED, f"prf-{STORED}", f"abc_{STORED}", "prf_"]
)
def test_what_is_no_id_is_shown_how_one_looks(value: str) -> None:
    with pytest.raises(InvalidInput, match="looks like prf_0123") as refused:
        stored_id(value, Kind.PROFILE)

    assert refused.value.problems[0].path == ("id",)
