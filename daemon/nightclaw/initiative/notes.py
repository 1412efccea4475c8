"""What the owner is told of a decision: short, plain, once. Pure."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nightclaw.core.types import JSON, NoteDraft, Signal, Source, Verdict
from nightclaw.initiative.incidents import Turn

if TYPE_CHECKING:
    from nightclaw.initiative.weighing import Finding, Stance
    from nightclaw.initiative.work import Work

TITLE = 110
"""What is longer goes into the body too."""
_REPO = re.compile(r"^[\w.-]+/[\w.-]+$")


def compose(
    found: "list[Finding]", lead: "Finding", verdict: Verdict, work: "Work", stance: "Stance"
) -> list[NoteDraft]:
    """The notes of a decision: none below notify, one for a batch, one for each changed fact of a tick."""
    if verdict.rank < Verdict.NOTIFY.rank or lead.signal.source is Source.CHAT:
        return []
    is_told = verdict is not Verdict.ACT or lead.judgement.floor in (Verdict.NOTIFY, Verdict.PROPOSE)
    if not is_told and not work.needs_owner and not stance.shadow:
        return []
    if lead.changes:
        notes = [_of_fact(lead.signal, c) for c in lead.changes if c.get("tell")]
        notes[:1] = [_with_work(n, verdict, work) for n in notes[:1]]
    else:
        notes = [_of_batch(found, lead, verdict, work, stance.rules.owner.web_url)]
    return [_as_shadow(n, verdict) for n in notes] if stance.shadow else notes


def link(signal: Signal, web_url: str) -> str:
    """A link made of checked parts, "" when the signal is not about a thing on GitHub."""
    if signal.source is not Source.GITHUB or not signal.repo or not _REPO.match(signal.repo):
        return ""
    number = signal.attrs.get("number")
    if isinstance(number, int):
        return f"{web_url}/{signal.repo}/{'pull' if signal.attrs.get('is_pr') else 'issues'}/{number}"
    if str(signal.attrs.get("event", "")).startswith(("workflow", "check")):
        return f"{web_url}/{signal.repo}/actions"
    return f"{web_url}/{signal.repo}"


def _of_batch(
    found: "list[Finding]", lead: "Finding", verdict: Verdict, work: "Work", web_url: str
) -> NoteDraft:
    signal, judgement = lead.signal, lead.judgement
    title, key = judgement.headline or signal.title, f"note:{signal.source}:{signal.dedupe_key}"
    lines = [judgement.reason[:1].upper() + judgement.reason[1:] + "."]
    if judgement.headline:
        lines.insert(0, signal.title)
    if lead.check is not None and lead.turn in (Turn.BROKE, Turn.RECOVERED):
        red = lead.turn is Turn.BROKE
        title = (
            f"{lead.check.repo} {lead.check.branch} is {'red' if red else 'green again'}: {lead.check.name}"
        )
        key = f"ci:{lead.check.repo}:{lead.check.branch}:{lead.first_red}:{'red' if red else 'green'}"
        lines = [f"{lead.check.name} {'failed' if red else 'passed'} at {lead.check.sha[:7]}."]
    said = judgement.goal or (str(signal.attrs.get("prompt") or "") if signal.source is Source.HOOK else "")
    if signal.source in (Source.SCHEDULE, Source.HOOK, Source.FILE) and said:
        lines = [said, f"({signal.title})", *lines] if len(said) > TITLE else [f"({signal.title})", *lines]
        title = said[:TITLE]
    if verdict is Verdict.PROPOSE:
        title = f"Proposed: {title}"
    if work.reason:
        lines.append(work.reason[:1].upper() + work.reason[1:] + ".")
    others = [
        f.signal.title for f in found if f is not lead and f.judgement.floor.rank >= Verdict.NOTIFY.rank
    ]
    lines.extend(f"Also: {t}" for t in others[:3])
    return NoteDraft(
        title=title,
        body="\n".join(lines),
        dedupe_key=key,
        subject=signal.subject,
        kind=judgement.note_kind,
        private=signal.private,
        session=signal.session,
        url=link(signal, web_url),
    )


def _of_fact(signal: Signal, change: dict[str, JSON]) -> NoteDraft:
    slot = str(signal.attrs.get("slot", signal.id))
    return NoteDraft(
        title=str(change.get("title", change["key"])),
        body=str(change.get("detail", "") or "Noticed at a tick; it will not be repeated."),
        dedupe_key=f"fact:{change['key']}:{slot}",
        subject=str(change.get("subject", "tick")),
        kind="fact",
        private=bool(change.get("private")),
    )


def _with_work(note: NoteDraft, verdict: Verdict, work: "Work") -> NoteDraft:
    """The note of a fact, when a task came of it too."""
    if work.task_id is None:
        return note
    said = work.reason or f"{work.task_id} works on it"
    return replace(
        note,
        title=f"Proposed: {note.title}" if verdict is Verdict.PROPOSE else note.title,
        body=f"{note.body}\n{said[:1].upper()}{said[1:]}.",
    )


def _as_shadow(note: NoteDraft, verdict: Verdict) -> NoteDraft:
    did = {Verdict.NOTIFY: "told you", Verdict.PROPOSE: "proposed", Verdict.ACT: "started"}[verdict]
    return replace(note, title=f"I would have {did}: {note.title}", dedupe_key=f"shadow:{note.dedupe_key}")
