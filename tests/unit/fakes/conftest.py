"""The scripted model service and its two kinds of client."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import httpx2
import pytest
from tests.fakes.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def sdk(server: ModelServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url(), max_retries=0) as sdk:
        yield sdk


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        base_url=server.url, headers={"anthropic-version": "2023-06-01"}, timeout=10
    ) as client:
        yield client
