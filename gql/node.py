"""The Node interface of Relay, which every type with an id of its own implements."""

import strawberry

from gql.execution import FromDocument, plain


@strawberry.interface(
    description="Anything with an id of its own. `node(id:)` and `nodes(ids:)` find it "
    "again by the id alone."
)
class Node(FromDocument):
    id: strawberry.ID = plain(
        "_id",
        read=str,
        description="Unique among all objects; its prefix tells the kind.",
    )
