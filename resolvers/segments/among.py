"""Questions asked of some profiles alone, by their own events."""

from audience.plan import Node
from resolvers.db import Database, Document
from resolvers.id_reads import read_ids
from resolvers.pipelines import Question, Strategy, question
from resolvers.pipelines.steps import by_profiles, open_facts, undecided
from resolvers.segments.answers import MANY
from resolvers.segments.sets import read_sets_of


async def question_among(db: Database, node: Node, match: Document) -> Question:
    """The plan asked of the profiles that the filter matches. Nobody else's events are
    read, unless too many sets of them would have to be named."""
    asked = question(node, among=match)
    if asked.match is not None:
        return asked
    if asked.can_look_up:
        return question(node, Strategy.CANDIDATES, among=match)
    ids = await read_ids(db.profiles, [{"$match": undecided(asked)}])
    sets = await read_sets_of(db, open_facts(asked), ids, len(ids))
    answer = by_profiles(asked, ids, sets)
    if answer.named > MANY:
        return question(node, Strategy.FLAGS, among=match)
    return answer
