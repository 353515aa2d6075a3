"""Lists and who is in them."""

from resolvers.lists.additions import Added, AddedPerson, Agreement, add_to_list
from resolvers.lists.lookups import lists_by_id, live_list
from resolvers.lists.members import (
    check_still_there,
    join_list_many,
    join_unless_left,
    member_counts,
    member_page,
    member_pages,
    membership,
    membership_in,
    remove_from_list,
)
from resolvers.lists.records import (
    count_lists,
    create_list,
    delete_list,
    finish_deletions,
    list_page,
    update_list,
)

__all__ = [
    "Added",
    "AddedPerson",
    "Agreement",
    "add_to_list",
    "check_still_there",
    "count_lists",
    "create_list",
    "delete_list",
    "finish_deletions",
    "join_list_many",
    "join_unless_left",
    "list_page",
    "lists_by_id",
    "live_list",
    "member_counts",
    "member_page",
    "member_pages",
    "membership",
    "membership_in",
    "remove_from_list",
    "update_list",
]
