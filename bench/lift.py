"""What memory is worth: questions of a next session, answered with what earlier ones were told, and without.

    python bench/lift.py [--seed N] [--quick]

A daemon is told facts in one session, some of them changed later, dreams, and is asked for each in a session of its
own. The model behind it is scripted and knows nothing: it repeats whatever line of its prompt has most words of the
question. Prints one line `name value unit` a number.
"""

import argparse
import random
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from bench.dreaming import words  # noqa: E402
from bench.dreaming.plant import Planter  # noqa: E402
from bench.dreaming.streams import ASKED  # noqa: E402
from bench.house import is_quick, say  # noqa: E402
from tests.e2e.daemon import Daemon  # noqa: E402
from tests.e2e.project import KEY, agent_config  # noqa: E402
from tests.fakes.model_server import Asked, ModelServer, Turn  # noqa: E402
from tests.fakes.model_server import say as says  # noqa: E402

FACTS = 20
_SMALL = frozenset(
    re.findall(
        r"\w+",
        "the a an of is are in on at for to and it we i you our my with what which who where when how do does",
    )
)


def content(text: str) -> set[str]:
    return {w.removesuffix("s") for w in re.findall(r"[\w-]+", text.casefold()) if w not in _SMALL}


def repeat(asked: Asked) -> Turn:
    """The line of the prompt that has most words of the question."""
    question = asked.last_text.strip().splitlines()[-1]
    wanted = content(question)
    lines = [line for line in asked.shown.splitlines() if line.strip() and question not in line]
    best = max(lines, key=lambda line: len(wanted & content(line)), default="")
    return says(best if len(wanted & content(best)) > 1 else "I do not know.")


def told(rng: random.Random, count: int) -> list[tuple[str, list[str], str]]:
    """(question, what is said in order, the value that holds) each."""
    p, out = Planter(rng), list[tuple[str, list[str], str]]()
    for i in range(count):
        kind = words.KINDS[i % len(words.KINDS)]
        thing, value = p.thing(kind), p.value(kind)
        said = [f"Remember that {p.sentence(rng.choice(kind.says), e=thing, v=value)}"]
        if i % 3 == 0:
            value = p.value(kind, (value,))
            said.append(f"No, {p.sentence(rng.choice(kind.changes), e=thing, v=value)}")
        out.append((ASKED[kind.name].format(e=thing), said, value))
    return out


def answered(facts: list[tuple[str, list[str], str]], *, is_told: bool) -> tuple[float, int]:
    """The share of questions answered with the value that holds, and the tokens they took."""
    with ModelServer() as server:
        server.policy(repeat)
        daemon = Daemon(agent_config(server), KEY)
        try:
            daemon.start()
            if is_told:
                for turn in range(2):
                    for _, said, _ in facts:
                        if turn < len(said):
                            assert daemon.clawctl("chat", said[turn], "--session", "new").code == 0
                assert daemon.clawctl("dream", "--now", timeout=60).code == 0
            before, right = len(server.calls), 0
            for question, _, value in facts:
                answer = daemon.clawctl("chat", question, "--session", "new")
                right += value in answer.out
            return right / len(facts), sum(c.usage.all_input for c in server.calls[before:]) // len(facts)
        finally:
            daemon.discard()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--quick", action="store_true")
    seed = args.parse_args().seed
    facts = told(random.Random(seed), FACTS // (2 if is_quick() else 1))
    on, tokens = answered(facts, is_told=True)
    off, bare = answered(facts, is_told=False)
    say("lift.with_memory", round(on, 3), "share")
    say("lift.without", round(off, 3), "share")
    say("lift.tokens_a_question", tokens - bare, "tokens")


if __name__ == "__main__":
    main()
