"""Numbered, linear, forward-only migrations of the store, shipped inside the wheel."""
