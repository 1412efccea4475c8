"""The shapes of sentences, as a table: what stands where, and which reader makes a fact of it. Pure.

`<S>` is the subject, `<V>` its value, `<W>` the value it had before, `<WHO>` a person or a team, `<WE>` who speaks,
`<MOVED>` a verb of change. The first shape that fits the whole sentence and can be read wins, so the more telling ones
stand first.
"""

import re
from collections.abc import Iterator

from nightclaw.memory import frames
from nightclaw.memory.frames import Found, Read, about

_PARTS = {
    "<S>": r"(?P<s>[^,;]+?)",
    "<V>": r"(?P<v>[^;]+?)",
    "<W>": r"(?P<was>[^,;]+?)",
    "<WE>": r"(?:(?:we|i|they|let's|you|one) (?:have |had |will |should |can |all |are |am )?)?",
    "<WHO>": (
        r"(?P<v>(?-i:[A-Z])[\w.-]*(?: (?:and )?(?-i:[A-Z])[\w.-]*){0,3}|the [\w -]+? (?:team|guild|squad|group|crew)"
        r"|@[\w-]+|[\w-]+)"
    ),
    "<MOVED>": (
        r"(?P<verb>mov(?:ed?|es|ing)|switch(?:ed|es)?|chang(?:ed?|es)|sets?|rais(?:ed?|es)|lower(?:ed|s)?"
        r"|increas(?:ed?|es)|decreas(?:ed?|es)|reduc(?:ed?|es)|bump(?:ed|s)?|upgrad(?:ed?|es)|downgrad(?:ed?|es)"
        r"|migrat(?:ed?|es)|renam(?:ed?|es)|updat(?:ed?|es)|push(?:ed|es)?|postpon(?:ed?|es)|reschedul(?:ed?|es)"
        r"|shift(?:ed|s)?|extend(?:ed|s)?|reset|transferr?(?:ed|s)?|convert(?:ed|s)?|pin(?:ned|s)?|relocat(?:ed?|es)"
        r"|delay(?:ed|s)?|cut|dropped|doubled|went|goes|slipped|jumped|rose|fell|grew|shrank|brought forward"
        r"|point(?:ed|s)?|adjust(?:ed|s)?|swapp?(?:ed|s)?|redirect(?:ed|s)?)"
    ),
    "<BE>": r"(?:is|are|was|were|has been|have been|had been|got|gets|is being|are being|will be|should be|must be|been|be|being)",
    "<IS>": (
        r"(?:is|are|=|equals|will be|has become|becomes|became|remains|stays|should be|must be|shall be|is set to"
        r"|are set to|stands at|reads)"
    ),
    "<TEAM>": r"(?:team|group|squad|crew|guild)",
    "<RUN>": r"(?:run|start|build|launch|execute)",
    "<LEADS>": "(?P<verb>" + "|".join(frames.LEADING) + ")",
    "<LED>": "(?P<verb>" + "|".join(f.done for f in frames.LEADING.values()) + ")",
}  # fmt: skip
_SHAPES: tuple[tuple[Read, tuple[str, ...]], ...] = (
    (frames.switched, (
        r"<WE>(?:switch|turn)(?:ed|s)? (?P<verb>on|off) <S>",
        r"<WE>(?P<verb>enable|disable)[sd]? <S>",
        r"<S> <BE> (?:switched |turned )?(?P<verb>on|off)",
        r"<S> <BE> (?P<verb>enabled|disabled)",
    )),
    (frames.use_for, (r"<WE>(?:switched|moved|migrated|went|changed)(?: over)? to <V> for <S>",)),
    (frames.changed, (
        r"<WE>(?:had to )?<MOVED> <S>(?:,|;| and|:) (?:now )?(?:it|that|this|they) (?:is|are|runs on|lives in|listens on) <V>",
        r"<S> (?:<BE> )?<MOVED>(?:,|;| and|:) (?:now )?(?:it|that|this|they) (?:is|are|runs on|lives in|listens on) <V>",
    )),
    (frames.use_for, (r"<WE>(?:switch|move|migrate|change|went)(?:d|ed)? (?:over )?from <W> to <V> for <S>",)),
    (frames.used, (r"<WE>(?:switch|move|migrate|change|went)(?:d|ed)? (?:over )?from <W> to <V>",)),
    (frames.use_for, (
        r"<WE>(?:replace|swap|trade|swapp)d?(?:ed)?(?: out)? <W> (?:with|by|for) <V> (?:for|in) <S>",
        r"<V> (?:replaced|replaces|took over from|supersedes|superseded) <W> (?:for|in|as) <S>",
    )),
    (frames.used, (r"<WE>(?:replace|swap|trade|swapp)d?(?:ed)?(?: out)? <W> (?:with|by|for) <V>",)),
    (frames.handed, (
        r"(?:the )?(?:ownership|responsibility) (?:of|for) <S> (?:moved|went|passed|goes|is now with|<BE> (?:moved|handed|given"
        r"|transferred))(?: over)? ?(?:from <W> )?(?:to|with)? ?<V>",
        r"<WE>(?:hand|handed|gave|give|pass|passed|transfer|transferred|reassigned|assigned) (?:over )?<S> (?:over )?(?:from <W> )?to <WHO>",
        r"<S> <BE> (?:handed|given|passed|transferred|reassigned|assigned)(?: over)? (?:from <W> )?to <WHO>",
    )),
    (frames.leads, (
        r"<WHO> (?:took over|takes over|has taken over|taken over) (?:as|the role of) (?:the )?(?P<verb>\w+) (?:of|for) <S>",
        r"<WHO> <LEADS> <S>",
        r"<WHO> (?:is|became) (?:the )?(?P<verb>lead|leader|head|chair|manager) (?:on|of|for) <S>",
    )),
    (frames.led, (r"<S> (?:is|are|will be) <LED> by <WHO>",)),
    (frames.handed, (
        r"<WHO> (?:took over|takes over|has taken over|taken over|inherited|inherits|picks up|picked up) <S>(?: from <W>)?",
        r"<WHO> (?:owns?|maintains?|is (?:the )?responsible for|is in charge of|is accountable for|looks? after|takes? care of"
        r"|is the person for|is the go-to (?:person )?for|is the (?:point of )?contact for|is the (?:owner|maintainer) (?:of|for)"
        r"|is on the hook for|answers for) <S>",
        r"the (?:person|one) (?:responsible|in charge|to ask) (?:for|of|about) <S> is <WHO>",
        r"<S> (?:is|are|will be) (?:owned|maintained|looked after|handled|run) by <WHO>",
        r"<S> has (?:a )?(?:new )?owner,? (?:it is |namely )?<WHO>",
    )),
    (about("team"), (
        r"<S> (?:is|are) (?:on|in|part of|a member of|in the crew of|with) the <V> <TEAM>",
        r"<S> (?:belongs? to|joined|works? (?:on|in|with|for)) the <V> <TEAM>",
    )),
    (about("owner"), (r"<S> belongs? to <V>",)),
    (frames.counted, (
        r"<S> (?:has|have|keeps|employs|counts|consists? of|comprises?|grew to|shrank to|is down to|is up to) (?P<n>\d+|[a-z]+) (?P<o>[a-z][\w-]*)",
        r"there are (?P<n>\d+|[a-z]+) (?P<o>[a-z][\w-]*) (?:in|on|at|for) <S>",
    )),
    (frames.changed, (
        r"<WE><MOVED> <S> (?:back |over )?(?:from <W> )?(?:back )?(?:to|at|onto|into) <V>",
        r"<S> (?:<BE> )?<MOVED> (?:back |over )?(?:from <W> )?(?:back )?(?:to|at|onto|into) <V>",
    )),
    (frames.over, (
        r"(?P<who>[\w-]+ )?(?:always )?(?:prefers?|(?:would|'d) rather have|likes? better) <V> (?:over|to|rather than|instead of) <W>(?: (?:for|in) <S>)?",
        r"(?:please )?<WE>(?:always )?(?:use|choose|pick|take|go with|used|uses|chose) <V>(?:,? (?:instead of|rather than|not|over|and not)) <W>",
    )),
    (frames.as_property, (r"<WE>(?:use|chose|picked|have|took|want) <V> as <S>",)),
    (frames.use_for, (
        r"(?:please )?<WE>(?:always )?(?:use|choose|pick|take|go with|used|uses|chose) <V>(?:,? (?:instead of|rather than|not|over|and not)) <W> (?:for|in) <S>",
        r"(?:for|in|on) <S>,? (?:we |i )?(?:always |should )?(?:use|go with|used|chose|picked|stick with|stick to|rely on) <V>",
        r"<WE>(?:decided (?:on|to use|to go with)|chose|choose|went with|go with|settled on|picked|agreed on|agreed to use"
        r"|standardi[sz]ed on|use|using|stick to|stick with|adopted|rely on|depend on|count on) <V> (?:for|to do) <S>",
        r"<V> (?:is|are) (?:used|what we use|our choice|the choice|the tool(?: of choice)?|the way to go) (?:for|in) <S>",
        r"<WE>do <S> (?:with|using|via|in|through) <V>",
        r"<S> (?:is|are) done (?:with|using|via|by|in|through) <V>",
    )),
    (frames.run_with, (
        r"<WE><RUN> <S> (?:with|using|via|by running) <V>",
        r"to <RUN> <S>,? (?:use|run|type|call|invoke|we use|execute) <V>",
        r"<S> (?:is|are) (?:run|started|built|launched|executed) (?:with|using|via|by running) <V>",
    )),
    (about("command"), (
        r"the command (?:to <RUN>|for(?: running)?) <S> is <V>",
    )),
    (frames.version_of, (
        r"<WE>(?:run|use|running|using|on|have) (?P<s>[A-Za-z][\w+-]*) (?:version )?(?P<v>v?\d+(?:\.\d+)*)",
        r"(?P<s>[\w+-]+) is (?:at|on) (?P<v>v?\d{1,2}(?:\.\d+)*)",
    )),
    (frames.typed_or("platform"), (
        r"<S> (?:listens?|runs?|binds?|serves?|answers?|is (?:exposed|reachable|available|listening|running|served)|can be"
        r" reached|sits) (?:on|at|under|via) <V>",
        r"<WE>(?:expose|exposed|serve|served|publish|published) <S> (?:on|at|under|via) <V>",
    )),
    (frames.typed_or("place"), (
        r"<S> (?:lives?|resides?|sits?|runs?|(?:is|are) (?:located|stored|kept|saved|found|placed|hosted|deployed|based"
        r"|documented|tracked|living|residing|at home|written|put|backed up)|can be found|gets? (?:stored|written|saved))"
        r" (?:in|at|on|under|into|to|with) <V>",
        r"<S> has (?:a |an )?(?:home|flat|house) in <V>",
        r"<S> (?:moved|has moved|relocated|is moving|went to live) (?:to|in) <V>",
    )),
    (about("language"), (
        r"<S> (?:<BE> )?(?:written|implemented|coded|rewritten|reimplemented|ported) (?:in|to) <V>",
        r"<WE>(?:rewrote|wrote|ported|reimplemented|implemented|rewrite) <S> (?:in|to) <V>",
    )),
    (frames.due, (r"<S> (?:is|are|falls|comes|will be) due (?:on |at |for |by )?<V>",)),
    (frames.happens, (
        r"<S> (?:happens?|takes? place|(?:is|are) (?:held|scheduled|planned|happening|set|on the calendar)|starts?|begins?|meets?"
        r"|occurs?|will (?:start|begin|happen|take place|be held)) (?:on|at|for|by|every|each)? ?<V>",
    )),
    (frames.typed_or("target"), (r"<S> (?:points?|redirects?|resolves?|links?) (?:to|at) <V>",)),
    (about("dependency"), (r"<S> (?:depends?|relies|rely|(?:is|are) dependent) on <V>",)),
    (about("employer"), (
        r"<S> (?:works?|is (?:employed|working)) (?:at|for|by) (?P<v>(?-i:[A-Z])[^;]*?)",
        r"<S> joined (?P<v>(?-i:[A-Z])[^;]*?)",
    )),
    (about("manager"), (r"<S> reports? to <V>", r"<WHO> is the boss of <S>")),
    (about("name"), (r"<S> (?:is|are) (?:called|named|known as) <V>", r"<WE>call <S> <V>")),
    (frames.do_with, (r"<WE>(?P<verb>[a-z]+) (?:(?P<o>[\w -]+?) )?(?:with|using|via|by means of) <V>",)),
    (frames.used, (r"<WE>use <V>",)),
    (frames.typed_or("use"), (
        r"<S> (?:uses?|is using|are using|is built (?:on|with)|is based on|is powered by) <V>",
        r"<V> (?:is|are) used by <S>",
    )),
    (about("need"), (
        r"<S> (?:needs?|requires?) <V>(?: (?:to|in order to) (?:run|start|work|build|boot|operate))?",
        r"(?:you|we|one) needs? <V> (?:for|to (?:run|use|start|build)) <S>",
        r"<V> (?:is|are) (?:needed|required|necessary) (?:for|by|to (?:run|use|start|build)) <S>",
    )),
    (frames.is_, (r"<S> <IS> (?P<at>on |at |in |via )?<V>", r"(?P<s>[\w' -]+?)(?P<at>):\s+<V>")),
    (frames.prefer, (
        r"(?P<who>[\w-]+ )?(?:prefers?|(?:would|'d) rather have|likes?) <V> (?:for|in|when) <S>",
        r"(?P<who>[\w-]+ )?(?:prefers?|(?:would|'d) rather have) <V>",
    )),
)  # fmt: skip


def _compiled() -> Iterator[tuple[re.Pattern[str], Read]]:
    for read, shapes in _SHAPES:
        for shape in shapes:
            for part, pattern in _PARTS.items():
                shape = shape.replace(part, pattern)
            yield re.compile(rf"(?i){shape}\Z"), read


_COMPILED = tuple(_compiled())


def found_in(sentence: str) -> Iterator[Found]:
    """What each shape that fits makes of the sentence, the most telling shape first."""
    for pattern, read in _COMPILED:
        m = pattern.match(sentence)
        if m is not None:
            found = read(m)
            if found is not None:
                yield found
