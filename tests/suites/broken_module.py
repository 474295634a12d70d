"""A module of a user's own that fails while it is imported."""

raise ValueError("half written")
