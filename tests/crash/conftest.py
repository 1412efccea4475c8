"""The same daemons and sink as the end-to-end tests have."""

from tests.e2e.conftest import hatch, sink  # noqa: F401  pytest finds fixtures by name
