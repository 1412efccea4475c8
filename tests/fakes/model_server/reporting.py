"""Sums over the calls of a model server: what a benchmark prints and a budget is held against."""

from collections.abc import Mapping, Sequence

from tests.fakes.model_server.asked import Call
from tests.fakes.model_server.checks import Violation
from tests.fakes.model_server.turns import Body


def report(
    calls: Sequence[Call],
    failures: Sequence[str],
    violations: Sequence[Violation],
    unplayed: Mapping[str, int],
) -> Body:
    lanes = sorted({call.asked.lane for call in calls} | set(unplayed))
    return {
        **sums(calls),
        "lanes": {
            lane: {**sums([call for call in calls if call.asked.lane == lane]), "left": unplayed.get(lane, 0)}
            for lane in lanes
        },
        "failures": list(failures),
        "violations": [{"rule": v.rule, "lane": v.lane, "call": v.call, "text": v.text} for v in violations],
    }


def sums(calls: Sequence[Call]) -> Body:
    """cached: share of all input that was read from the cache. request_bytes: bodies as they came."""
    read = sum(call.usage.cache_read for call in calls)
    written = sum(call.usage.cache_write for call in calls)
    fresh = sum(call.usage.input for call in calls)
    statuses: dict[str, int] = {}
    for call in calls:
        statuses[str(call.status)] = statuses.get(str(call.status), 0) + 1
    return {
        "calls": len(calls),
        "whole": sum(call.is_whole for call in calls),
        "left_by_client": sum(call.client_left for call in calls),
        "statuses": statuses,
        "input_tokens": fresh,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": sum(call.usage.output for call in calls),
        "cached": round(read / (read + written + fresh), 4) if read + written + fresh else 0.0,
        "cost_usd": round(sum(call.cost_usd for call in calls), 6),
        "tools_tokens": max((call.tools_tokens for call in calls), default=0),
        "request_bytes": sum(len(call.asked.raw) for call in calls),
        "sent_bytes": sum(call.sent_bytes for call in calls),
    }
