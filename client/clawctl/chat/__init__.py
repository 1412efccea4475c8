"""Talking to the daemon: one message and its answer, or a terminal that stays attached."""
