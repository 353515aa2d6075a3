"""What a definition asks as of an instant: facts about a profile, and how they combine.

Times are absolute, references resolved, negation sits on the facts. The stages that
ask a database are made of it elsewhere.
"""

from audience.plan.dependencies import Dependencies, dependencies_of
from audience.plan.planning import References, measured, plan
from audience.plan.tree import Node

__all__ = ["Dependencies", "Node", "References", "dependencies_of", "measured", "plan"]
