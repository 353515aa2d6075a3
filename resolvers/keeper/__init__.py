"""Keeps the membership of every segment true: from writes, and from time."""

from resolvers.keeper.shares import LeaseLost
from resolvers.keeper.upkeep import Keeper, keep_once, stop

__all__ = ["Keeper", "LeaseLost", "keep_once", "stop"]
