"""Forms as they are kept, their answers, and how often they were shown and sent."""

from resolvers.forms.records import (
    count_forms,
    create_form,
    delete_form,
    form_page,
    forms_by_id,
    live_form,
    update_form,
)
from resolvers.forms.statistics import (
    Statistics,
    conversion,
    count_view,
    statistics_of_forms,
)
from resolvers.forms.submitting import Answer, Submitted, submit_form

__all__ = [
    "Answer",
    "Statistics",
    "Submitted",
    "conversion",
    "count_forms",
    "count_view",
    "create_form",
    "delete_form",
    "form_page",
    "forms_by_id",
    "live_form",
    "statistics_of_forms",
    "submit_form",
    "update_form",
]
