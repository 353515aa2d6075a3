"""Segment definitions written for Klaviyo, as definitions of ours."""

from audience.klaviyo.definitions import Names, imported

__all__ = ["Names", "imported"]
