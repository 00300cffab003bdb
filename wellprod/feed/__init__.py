"""Feeds: where records come from, and what they become on the way in."""
