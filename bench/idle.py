"""The daemon that has nothing to do: memory, CPU and wake-ups, and memory after every route was used once.

    python bench/idle.py [--quick]

PSS counts a page shared with other programs in parts, so it is lower where other Pythons run; `anonymous` is what no
neighbour changes. The default config is measured but for polling, which is off: nothing leaves the machine.
"""

import json
import time

from house import House, house, is_quick, say

LEFT_OUT = {
    ("post", "/v1/pause"),  # used, but at the end
    ("post", "/v1/github/connect"),  # would ask GitHub
}


def use_every_route(made: House) -> int:
    """Call each operation of the control API once, the hooks and health too; how many there are."""
    routes = made.get("/v1/openapi.json")["paths"]
    made.ask("POST", "/v1/chat", {"text": "what can you do?", "key": "bench"})
    body = json.dumps({"action": "opened", "issue": {"number": 1, "node_id": "I_1", "title": "x"},
                       "repository": {"full_name": "octo/app"}, "sender": {"login": "m"}}).encode()  # fmt: skip
    made.deliver("issues", body, "bench-1")
    made.tcp("GET", "/healthz", b"", {})
    made.settle()
    used = 0
    for path, operations in routes.items():
        for method in operations:
            if (method, path) in LEFT_OUT:
                continue
            filled = path
            while "{" in filled:
                filled = f"{filled[: filled.index('{')]}sig_none{filled[filled.index('}') + 1 :]}"
            status, _ = made.ask(method.upper(), filled, None if method == "get" else {})
            assert status < 500, (method, path, status)
            used += 1
    made.ask("POST", "/v1/pause", {})
    made.ask("POST", "/v1/resume", {})
    return used


def main() -> None:
    span = 5.0 if is_quick() else 30.0
    with house(tick="5m") as made:
        made.start()
        time.sleep(span)
        pss, anonymous = made.memory()
        say("idle.pss", pss, "MB")
        say("idle.anonymous", anonymous, "MB")
        used, before = made.cpu(), made.wakeups()
        time.sleep(span)
        after = made.wakeups()
        say("idle.cpu", 100 * (made.cpu() - used) / span, "%")
        say("idle.wakeups_main", (after["main"] - before["main"]) / span, "a_second")
        others = sum(n - before.get(name, 0) for name, n in after.items() if name != "main")
        say("idle.wakeups_threads", others / span, "a_second")
        say("idle.threads", len(after), "threads")
        say("idle.routes_used", use_every_route(made), "routes")
        pss, anonymous = made.memory()
        say("idle.pss_all_routes", pss, "MB")
        say("idle.anonymous_all_routes", anonymous, "MB")


if __name__ == "__main__":
    main()
