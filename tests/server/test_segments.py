"""Segments from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from audience.errors import AudienceError, Code, Problem
from resolvers.db import Database, find
from server.cli import main
from server.segments import import_document, read_document
from tests.gql.test_segments import written_elsewhere
from tests.resolvers.test_segments import NOW

pytestmark = pytest.mark.anyio


async def test_a_file_becomes_a_segment(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await db.metrics.insert_one({"name": "Placed Order", "key": "a", "created_at": NOW})
    document = written_elsewhere("M1")

    await import_document(
        db, document, name="Mine", metrics=["M1=Placed Order"], groups=[]
    )

    (segment,) = await find(db.segments, {})
    assert segment["name"] == "Mine"
    assert capsys.readouterr().out == f"seg_{segment['_id']}\n"


@pytest.mark.parametrize(
    ("content", "metrics", "message"),
    [
        ("{", [], "holds no JSON"),
        ("[" * 100_000, [], "holds no JSON"),
        ("{}", ["M1"], "--metric M1: give their id, =, and what it is here."),
        (
            json.dumps(written_elsewhere("M9")),
            ["M1=x"],
            "document.definition.condition_groups.0.conditions.0.metric_id: It is not "
            "said which metric here is 'M9': name it with --metric.",
        ),
    ],
)
async def test_what_is_wrong_with_a_file_is_told(
    db: Database, tmp_path: Path, content: str, metrics: Any, message: str
) -> None:
    file = tmp_path / "segment.json"
    file.write_text(content)

    with pytest.raises(AudienceError) as raised:
        document = read_document(file)
        await import_document(db, document, name=None, metrics=metrics, groups=[])

    assert message in str(raised.value)
    assert await find(db.segments, {}) == []


def test_every_problem_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: Any) -> None:
        raise AudienceError.of(Problem(Code.INVALID, it, ()) for it in ("A.", "B."))

    monkeypatch.setattr("server.cli.cli", fail)
    monkeypatch.setattr("server.cli.configure_logs", lambda settings: None)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert capsys.readouterr().err == "audience: A.\naudience: B.\n"
