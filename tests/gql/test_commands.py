"""How many commands an operation sends to MongoDB: they do not grow with the page."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from resolvers.db import Database, close, connect
from tests.gql.conftest import Api

pytestmark = pytest.mark.anyio

NESTED = """
query ($first: Int!) {
  profiles(first: $first) {
    totalCount
    edges {
      node {
        email
        consent { email { status history(first: 5) { totalCount } } }
        lists(first: 5) { totalCount edges { node { joinedAt list { name } } } }
        events(first: 10) {
          totalCount
          edges { node { timestamp value metric { name } profile { email } } }
        }
        metrics { count metric { name } }
      }
    }
  }
}
"""


class Commands(CommandListener):
    """Notes the commands sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(f"{event.command_name} {event.command[event.command_name]}")

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def watched(
    api: Api, db: Database, mongodb_uri: str, commands: Commands
) -> AsyncIterator[Api]:
    """The same API over a connection whose commands are noted."""
    connected = connect(
        mongodb_uri, db.name, driver=db.driver, event_listeners=[commands]
    )
    yield replace(api, db=connected)
    await close(connected)


async def fill(api: Api, people: int) -> None:
    """People in two lists, each with events of four metrics."""
    emails = [f"p{number}@example.org" for number in range(people)]
    for name in ("News", "Offers"):
        made = await api.ask(
            f'mutation {{ createList(input: {{name: "{name}"}}) {{ list {{ id }} }} }}'
        )
        added = await api.ask(
            "mutation ($input: AddToListInput!) "
            "{ addToList(input: $input) { added userErrors { message } } }",
            input={
                "listId": made["createList"]["list"]["id"],
                "profiles": [{"email": email} for email in emails],
                "consent": [{"channel": "EMAIL", "source": "Fair"}],
            },
        )
        assert added["addToList"] == {"added": people, "userErrors": []}
    tracked = await api.ask(
        "mutation ($input: TrackEventsInput!) "
        "{ trackEvents(input: $input) { accepted } }",
        input={
            "events": [
                {"profile": {"email": email}, "metric": f"Metric {number % 4}"}
                for email in emails
                for number in range(12)
            ]
        },
    )
    assert tracked["trackEvents"] == {"accepted": 12 * people}


async def test_a_nested_query_sends_as_many_commands_for_50_as_for_5(
    api: Api, watched: Api, commands: Commands
) -> None:
    await fill(api, 50)

    sent = []
    for first in (5, 5, 50):
        await watched.ask("{ __typename profiles(first: 0) { totalCount } }")
        commands.names.clear()
        data = await watched.ask(NESTED, first=first)
        assert len(data["profiles"]["edges"]) == first
        sent.append(sorted(commands.names))

    of_events = sent[0].index("find metrics")
    assert (
        sent[0][:of_events] + sent[0][of_events + 1 :] == sent[1]
    )  # they never change
    assert sent[1] == sent[2]
    assert sent[2] == [
        "aggregate consent_changes",  # pages of the trail
        "aggregate consent_changes",  # their lengths
        "aggregate profiles",  # totalCount of profiles
        "aggregate profiles",  # the first 10 events of each
        "find lists",
        "find metrics",  # of the summaries
        "find profiles",  # the page
        "find profiles",  # who did the events
        "find profiles",  # how many events each did
    ]


async def test_a_page_costs_one_command_without_its_total(
    api: Api, watched: Api, commands: Commands
) -> None:
    await fill(api, 3)
    await watched.ask("{ profiles(first: 0) { totalCount } }")
    commands.names.clear()

    await watched.ask("{ profiles { edges { node { email } } } }")

    assert commands.names == ["find profiles"]


async def test_members_of_many_lists_are_one_command(
    api: Api, watched: Api, commands: Commands
) -> None:
    await fill(api, 3)
    await watched.ask("{ profiles(first: 0) { totalCount } }")
    commands.names.clear()

    data = await watched.ask(
        "{ lists { edges { node { "
        "members { totalCount edges { node { email } } } } } } }"
    )

    assert [
        edge["node"]["members"]["totalCount"] for edge in data["lists"]["edges"]
    ] == [3, 3]
    assert sorted(commands.names) == [
        "aggregate profiles",
        "aggregate profiles",
        "find lists",
    ]


async def test_the_hub_takes_as_many_reads_for_much_as_for_little(
    api: Api, watched: Api, commands: Commands
) -> None:
    await watched.ask("{ profiles(first: 0) { totalCount } }")
    sent = []
    for people in (1, 50):
        for name in ("News", "Offers"):
            await api.db.lists.delete_many({"name": name})
        await fill(api, people)
        commands.names.clear()
        await watched.ask("{ growthTools { goals { progress } } }")
        sent.append(sorted(commands.names))

    assert sent[0] == sent[1]
    assert len(sent[0]) < 15
