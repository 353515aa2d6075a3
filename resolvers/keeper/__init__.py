"""Keeps the membership of every segment true: from writes, and from time."""

from resolvers.keeper.shares import LeaseLost
from resolvers.keeper.state import Keeper
from resolvers.keeper.upkeep import keep_once, stop

__all__ = ["Keeper", "LeaseLost", "keep_once", "stop"]
