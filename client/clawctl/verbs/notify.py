"""What the owner was told: the list, a test of the ways to reach them, and silence about a thing for a while."""

from clawctl.api import as_row, rows_of, words
from clawctl.exits import DONE, FAILED
from clawctl.render import one_line
from clawctl.usage import Call
from clawctl.verbs.lists import show_done, show_list


def notifications(call: Call) -> int:
    columns = [
        ("ID", "id"),
        ("AGE", "@created_at"),
        ("STATE", "state"),
        ("SENT", "@sent_at"),
        ("TITLE", "title"),
    ]
    return show_list(call, "/v1/notifications", columns, "you were told nothing yet")


def test(call: Call) -> int:
    answer = as_row(call.api.post("/v1/notifications/test", {}))
    deliveries = rows_of(answer.get("deliveries"))
    if call.out.is_json:
        call.out.json(answer)
    elif not deliveries:
        call.out.line("there is no address to send to; notes are kept and shown by `clawctl notifications`")
        call.out.line("to have them sent: clawctl config set notify.urls '[\"ntfy://ntfy.sh/YOUR-TOPIC\"]'")
    for delivery in [] if call.out.is_json else deliveries:
        went = "sent" if delivery.get("ok") is True else f"FAILED: {words(delivery.get('error'))}"
        call.out.line(one_line(f"{words(delivery.get('to'))}  {went}"))
    return DONE if all(delivery.get("ok") is True for delivery in deliveries) else FAILED


def mute(call: Call) -> int:
    what, span = call.text("WHAT"), call.text("--for", "1d")
    answer = call.api.post("/v1/mutes", {"what": what, "for": span})
    return show_done(call, answer, f"nothing more about {what} for {span}")
