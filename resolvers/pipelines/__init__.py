"""Plans as MongoDB filters and pipelines. Pure: nothing here reads or writes."""

from resolvers.pipelines.strategies import Question, Strategy, Unsuitable, question

__all__ = ["Question", "Strategy", "Unsuitable", "question"]
