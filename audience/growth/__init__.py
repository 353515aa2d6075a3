"""The hub: what an account has reached of each goal, and what to do next. Pure: what is
so comes in, what to do goes out."""

from audience.growth.goals import RULES, Report, Step, recommended, reports
from audience.growth.kinds import ActionName, GoalKind, Recommendation, Rule
from audience.growth.states import (
    FormFigures,
    IntegrationFigures,
    ListRef,
    Ref,
    State,
)

__all__ = [
    "RULES",
    "ActionName",
    "FormFigures",
    "GoalKind",
    "IntegrationFigures",
    "ListRef",
    "Recommendation",
    "Ref",
    "Report",
    "Rule",
    "State",
    "Step",
    "recommended",
    "reports",
]
