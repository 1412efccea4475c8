"""Which part of an owner's message is the owner's own word: what is pasted, quoted, forwarded or reported is not. Pure.

A message may bring the words of anybody: a log, an issue, a mail. Those teach nothing about what the owner wants, so
where it is not plain who speaks, nobody did: after "the ticket says:", under a mail's header, behind "summarise this:"
the rest of the message is cut. What the owner wants kept can be said again; what a stranger slipped in stays.
One pass over the lines, so a message of any length costs its length.
"""

import re

from nightclaw.memory.refusals import is_output

LONGEST = 20_000
"""Characters of a message that are read once its fences are out of it."""
_LINE = 2_000
_SAYS = (
    r"(?:says?|said|states?|stated|reads?|writes?|wrote|claims?|claimed|mentions?|mentioned|tells?|told"
    r"|suggests?|recommends?|reported|commented|replie[sd]|ask(?:s|ed) (?:me|us|you|to)|thinks?|insists?"
    r"|argues?|demands?|announced|posted|quotes?|goes like|instructs?)"
)
_TEXTS = (
    r"(?:issues?|tickets?|mails?|e-?mails?|messages?|comments?|threads?|articles?|posts?|tweets?|outputs?"
    r"|errors?|stack ?traces?|tracebacks?|reports?|texts?|paragraphs?|sentences?|snippets?|reviews?|chats?"
    r"|transcripts?|letters?|specs?|pastes?|prompts?|instructions?|logs?)"
)
_THINGS = (
    rf"(?:{_TEXTS}|prs?|pull requests?|readme(?:\.md)?|docs?|documentation|pages?|web ?sites?|blogs?|slack"
    r"|files?|diffs?|patch(?:es)?|invoices?|notes? from|wiki|faqs?|handbooks?|bots?|customers?|reporters?"
    r"|commenters?|vendors?|support)"
)
_REPORTED = re.compile(
    rf"(?i)\baccording to\b|\b(?:per|quote from|quoting|excerpt (?:of|from)|from) the {_THINGS}\b"
    rf"|\b{_THINGS} (?:(?:also|that|which|now|here) )?{_SAYS}\b|(?<!nobody )(?<!no one )\b(?:says"
    rf"|writes(?! (?:to|into)\b)"
    rf"|claims|insists|argues|mentions"
    r"|suggests|recommends) (?!hi\b)|\b(?:says|writes)[:,\s]*$|\b(?:(?:he|she|they)(?! reads? \w)"
    r"|it(?! writes (?:to|into)\b)|who|someone"
    rf"|somebody|people) (?:(?:also|just|then|even) )?{_SAYS}\b|(?:^|\s)(?!(?:i|we|you|already|just|have"
    rf"|never|always"
    r"|and|to|be|was|is|as|before|get|i['’]ve|we['’]ve)\s)[\w@'’./-]+ (?:(?:also|just|then) )?(?:said"
    r"|told (?:me|us)|wrote|claimed|replied|commented|insisted|argued|announced|asks? (?:me|us)|asked (?:me"
    r"|us))(?![\w-])|\bthe (?:owner|user|maintainers?) (?:has |have )?(?:already )?(?:approved"
    r"|authori[sz]e[sd]|allow(?:s|ed)|prefers?|wants?|grant(?:s|ed)|gave|confirmed)\b|\b(?:ignore|disregard"
    r"|forget) (?:all |any |the |your |my )*(?:previous|prior|above|earlier) (?:instructions|rules|prompts?)"
    r"|\b(?:titled|entitled|saying|that reads?|with the (?:message|title|text|subject|body|heading|name"
    r"|words))\b"
    r"|\b(?:pinged|messaged|texted|e?-?mailed|slacked|dm['’]?e?d) (?:me|us)\b"
)
_CARRIES = re.compile(
    r"(?i)^(?:(?:please|can you|could you|would you|will you|also|and|now|then|ok(?:ay)?|hey"
    r"|let['’]?s)[\s,]+)*(?:summari[sz]e|translate|reply|answer (?:him|her|them|this|that)|respond|proofread"
    r"|rephrase|reword|rewrite|explain|review|analy[sz]e|triage|classify|check|look at|read|draft|write"
    r"|compose"
    r"|send|post|tweet|email|mail|message|text|tell (?!me|you)\w+|ask (?!me)\w+|say|print|echo|output"
    r"|type|add"
    r"|insert|append|put|paste|include|set|rename|replace|change|commit|title|label|comment|open|create"
    r"|make(?! it a)|file|log|search|grep|find|look for|test|assert|expect|parse|format|convert|process"
    r"|handle"
    r"|fix|implement|debug|what (?:does|do|is)|who|why|how|is|are|does|do)\b"
)
_TEXT_WORK = re.compile(
    r"(?i)^(?:(?:please|can you|could you|would you|will you|also|and|now|then|ok(?:ay)?"
    r"|hey)[\s,]+)*(?:summari[sz]e|translate|proofread|rephrase|reword|rewrite|triage|classify|reply to"
    r"|respond to|answer) (?:this|that|these|those|the following|him|her|them|below)\b"
)
_SHOWN = re.compile(
    r"(?i)\b(?:this|these|that|those|the following|following|below|attached|pasted|here(?:['’]s| is| are"
    rf"| comes)|got|received|look at|see|check|from|new) (?:[\w'’-]+ ){{0,4}}?{_TEXTS}\b|\b(?:this|these"
    rf"|below"
    r"|the following|following|as follows)[\s.!?…]*$"
    rf"|\b{_TEXTS} (?:is|was|are|were|starts|goes)(?: as follows| like this)?[\s:.]*$"
    r"|^(?:release notes?|changelog|announcement|minutes|agenda|transcript)\b[^!?]{0,30}$"
)
_OWN_HEAD = re.compile(
    r"(?i)^(?:(?:please|hey|ok(?:ay)?|also|and)[\s,]+)*(?:(?:remember|note|keep in mind|bear in mind"
    r"|don['’]?t forget)\b|(?:(?:some|a few|my|our|the|here are (?:some|my|our|the)|these are (?:my|our|the)"
    r"|general|basic|house|team|ground) )*(?:[\w-]+ )?(?:rules|conventions|preferences|guidelines|facts"
    r"|things to (?:know|remember)|notes to (?:self|yourself))\b|from now on\b|going forward\b|in future\b"
    r"|(?:for|in) (?:this|our|my) (?:project|repo(?:sitory)?|codebase|team)\b)[^:]{0,60}:$"
)
_ITEM = re.compile(r"^[ \t]{0,3}(?:[-*•+]|\d{1,2}[.)]) +(?=\S)")
_QUOTE = re.compile(
    r"^[ \t]+\* |^[ \t]*(?:>|//|/\*|@[\w-]+ |[A-Z_]{3,}=|\||\$ |❯ |>>> |[+-](?![+\s\d-])|\+\+\+|---|@@"
    r"|[\[{]\s*$|[\[{]\"|\"[\w-]+\":"
    r"|.*[\[{][\"']\w+[\"']:)"
)
_HEADING = re.compile(r"^#{1,6} |^={4,}|^-{4,} *\w")
_MAIL = re.compile(
    r"(?i)^(?:[-_]{3,} ?(?:original|forwarded|begin forwarded)|begin forwarded message|on .{6,120} wrote:\s*$"
    r"|(?:from|von|de|to|an|à|cc|sent|gesendet|date|datum|subject|betreff|objet|reply-to): .*)"
)
_SALUTE = re.compile(
    r"(?:[Dd]ear [\w .'’-]{1,60}|(?:[Hh]i|[Hh]ello|[Hh]ey) (?:team|all|everyone|everybody|folks|maintainers?"
    r"|sir|madam|(?!Nightclaw)[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)),?!?$"
)
_TURN = re.compile(
    r"(?i)^\W{0,3}(?:system|user|assistant|human|ai|owner|admin|developer|tool|bot|agent|nightclaw"
    r"|(?:important )?message from [\w ]{1,30})(?: (?:message|note|prompt|notice|override|instructions?"
    r"|update"
    r"|turn|result|output))?(?: ?\([^)\n]{0,30}\))?\s*[:\]>]|^(?:\[\d{1,2}:\d\d[^\]]{0,12}\]"
    r"|\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]m)?) *<?[\w@. -]{1,40}[>:]|^<[\w@. -]{1,40}> |^@[\w-]+ (?:wrote"
    r"|commented"
    r"|said|opened)|^[\w .'’-]{1,40} {2,4}\d{1,2}:\d\d(?: ?[AP]M)?$"
)
_TAG = re.compile(r"<(?:!--|/?[A-Za-z][\w:-]{0,40}(?: [^<>\n]{0,200})?/?>)")
_BLANK = re.compile(r"\n[ \t]*\n")
_QUOTED = re.compile(
    r"[\"“”„«]([^\"“”„«»\n]{12,600})[\"“”»]|(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w)){12,600})'(?!\w)"
)
_LONG_QUOTE = re.compile(r"[\"“„«]([^\"“”„«»]{2,8000})[\"”»]")
_GOES_ON = re.compile(r"[.!?:]\s|\n")
_PROMPTS = ("$ ", "❯ ", ">>> ")
PASSAGE = "“…”"
"""Stands for a quoted passage of more than one sentence."""
_ASKED_FOR = re.compile(
    r"(?i)^(?:(?:please|hey|ok(?:ay)?|also|and)[\s,]+)*(?:remember|note|keep|save|store|bear|memori[sz]e"
    r"|don['’]?t forget|make it a|let['’]?s agree|(?:write|put|learn|record) (?:this|that|it)|agreed|decision"
    r"|important|for your notes|(?:the|our|my|one|house|team) (?:[\w-]+ )?(?:rule|convention|policy"
    r"|preference))\b"
)
_JUDGED = re.compile(  # a text is shown, for what it says or how it says it
    r"(?i)^(?:is|are|was|does|do (?:you|i)|can|could|check|how|what)\b[^.?!]{0,40}\b(?:true|right|correct"
    r"|believe|grammatical|grammar"
    r"|spelling|spelled|wording|phrase|say|translate|mean|sound|following)\b[^.?!]{0,30}[.?!:](?:\s|$)"
    rf"|^(?:re|aw|fwd?): |^(?:an? |the )?{_TEXTS} from\b"
    r"|^(?:description|body|title|message|summary|comment|text|content|msg|prompt|docstring"
    r"|sms)\b[^:.?!]{0,20}: "
)
_SOUGHT = re.compile(r"(?i)^(?:please )?(?:grep|rg|search|look|find)(?: for)? [\"“'‘]")
_TURNS = re.compile(  # "… done. One thing though:"
    rf"(?i)^(?!.*\b(?:{_TEXTS}|following|below|this|these|text|words)\b).*[.!?,] (?:and |but "
    rf"|oh,? )*(?:(?:one (?:more |other )?thing|in general|for (?:the|our) (?:future|record)"
    r"|going forward|from now on)(?: though)?|remember|keep in mind)$"
)
_HIDDEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
_END = re.compile(r"(?<!\bProf)(?<!\bMrs)(?<!\b[DM]r)(?<!\bMs)[.!?]\s+")
_CUT = "\0"


def own_lines(text: str) -> list[str]:
    """The lines of a message that are the owner's own; an item of a list of theirs opens with "- "."""
    text = _HIDDEN.sub("", _without_tags(_without_fences(text)))[:LONGEST]
    text = _LONG_QUOTE.sub(lambda m: PASSAGE if _GOES_ON.search(m[1]) else m[0], text)
    lines, kept, i = text.splitlines(), list[str](), 0
    is_list = False
    while i < len(lines):
        line, i = lines[i], i + 1
        plain = line.strip()
        if not plain:
            continue
        item = _ITEM.match(line)
        if item is not None:
            plain = line[item.end() :].strip()
        is_list = is_list and item is not None
        if _begins_foreign(line, plain):
            break
        if _is_foreign(line, plain, is_item=item is not None):
            while plain.startswith(_PROMPTS) and i < len(lines) and lines[i].strip():
                i += 1  # what a command wrote
            continue
        own, goes_on = _own_of(plain)
        if own:
            kept.append(f"- {own}" if is_list else own)
        if not goes_on:
            i = _after_shown(lines, i)
        elif plain.endswith(":") or _SHOWN.search(plain):
            if _OWN_HEAD.match(plain) and not _REPORTED.search(plain):
                is_list = True
                continue
            i = _after_shown(lines, i)
    return kept


def own_part(text: str) -> str:
    """The owner's own words of a message, one paragraph."""
    return "\n".join(line.removeprefix("- ") for line in own_lines(text))


def is_reported(sentence: str) -> bool:
    """True for a sentence that says what somebody or something else says."""
    return _REPORTED.search(sentence) is not None


def unquoted(sentence: str) -> str:
    """A sentence with what stands in quotation marks in it blanked: longer quotes are not the speaker's own words."""
    return _QUOTED.sub(lambda m: PASSAGE if len(m[0].split()) > 2 else m[0], sentence)


def _begins_foreign(line: str, plain: str) -> bool:
    """From such a line on a message is not the owner's."""
    return bool(_MAIL.match(plain) or _SALUTE.match(plain) or _TURN.match(plain) or _HEADING.match(line))


def _is_foreign(line: str, plain: str, *, is_item: bool) -> bool:
    is_indented = not is_item and (line.startswith(("\t", "    ")))
    return (
        len(plain) > _LINE
        or is_indented
        or _QUOTE.match(line) is not None
        or _CUT in line
        or is_output(plain)
    )


def _own_of(line: str) -> tuple[str, bool]:
    """What of a line is the owner's own, and whether the message still is after it."""
    told = _REPORTED.search(unquoted(line))
    head, colon, rest = line.partition(": ")
    if colon and rest and not _ASKED_FOR.match(head) and not _TURNS.search(head):
        is_carried = _CARRIES.match(head) is not None or _SHOWN.search(head) is not None
        if is_carried and not _OWN_HEAD.match(f"{head}:"):
            return "", False
    if _SOUGHT.match(line) or (_JUDGED.match(line) and not _ASKED_FOR.match(line)):
        return "", False
    if _TEXT_WORK.match(line) and len(line.split()) > 8:
        return "", False
    if told is not None:  # the sentences before it are
        starts = [m.end() for m in _END.finditer(line, 0, told.start())]
        return line[: starts[-1]].strip() if starts else "", False
    return line, True


def _after_shown(lines: list[str], at: int) -> int:
    """Where the message goes on after a line that shows something: past the fence or quote, else nowhere."""
    first = at
    while first < len(lines) and not lines[first].strip():
        first += 1
    end = first
    while end < len(lines) and (
        _CUT in lines[end] or _QUOTE.match(lines[end]) or is_output(lines[end].strip())
    ):
        end += 1
    return end if end > first else len(lines)


def _without_fences(text: str) -> str:
    """From the first fence to the last one all is pasted (one may hold others); one left open reaches to the end."""
    for fence in ("```", "~~~"):
        count = text.count(fence)
        if count:
            first, last = text.find(fence), text.rfind(fence) + len(fence)
            text = f"{text[:first]}\n{_CUT}\n{text[last:] if count % 2 == 0 else ''}"
    return text


def _without_tags(text: str) -> str:
    """What stands between the first tag and the last one is pasted; a single `<name>` is no tag. So is the paragraph
    that a comment opens: nobody writes one in a chat."""
    if "<" not in text:
        return text
    first = _TAG.search(text)
    last = max(text.rfind("</"), text.rfind("-->"), text.rfind("/>"))
    if first is None or last < 0 or last < first.start():
        return text[: first.start()] if first is not None and first[0] == "<!--" else text
    end = text.find(">", last)
    if end >= 0 and text[last : end + 1] == "-->":
        blank = _BLANK.search(text, end)
        end = blank.start() if blank is not None else len(text)
    return f"{text[: first.start()]}\n{_CUT}\n{text[end + 1 :] if end >= 0 else ''}"
