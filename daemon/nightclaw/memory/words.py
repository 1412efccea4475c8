"""Words brought to one form: everyday synonyms, inflections, and those that carry no fact. Pure.

Rather too careful than too clever: two words share a form only where no fact can hang on the difference.
"""

import re
from functools import lru_cache


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = frozenset({"the", "a", "an", "our", "your", "its", "their", "this", "that", "these", "those"})
PRONOUNS = word_set(
    "it he she they him them who what which something everything anything here there somebody someone one"
)
AUXILIARIES = word_set(
    "is are was were be been being am do does did have has had will would shall should must ought 's 're 've 'll 'd"
    " get gets got"
)
SOFT = word_set(
    "now currently presently still already just actually really basically simply officially definitely certainly"
    " please kindly also too so well then very quite rather indeed again note remember fyi btw ok okay yes hey hi"
    " that's it's we're i'm there's nowadays today's generally typically general anyway however but and though"
    " we us i me my mine ours you yours our your its their team folks guys people everyone everybody"
    " ever any make sure ensure certain think believe guess say says said told tell know known mind recall"
    " supposed"
)
NEGATIONS = frozenset(
    {"not", "never", "no", "nobody", "nothing", "none", "nor", "without", "cannot", "neither"}
)
_SAME = {
    "production": "prod live-environment", "staging": "stage", "database": "db databases", "repository": "repo repos",
    "documentation": "docs doc", "configuration": "config conf configs", "environment": "env",
    "kubernetes": "k8s", "authentication": "auth", "directory": "dir folder", "application": "app",
    "administrator": "admin", "information": "info", "color": "colour", "favorite": "favourite preferred",
    "organization": "organisation org", "customer": "client", "error": "failure fault", "license": "licence",
    "begin": "start commence launch kick-off", "end": "finish conclude terminate", "use": "utilize utilise employ",
    "run": "execute", "repair": "fix resolve", "delete": "remove erase", "buy": "purchase", "large": "big",
    "quick": "fast rapid", "show": "display", "require": "need necessitate demand", "help": "assist",
    "owner": "maintainer", "url": "link", "approximately": "roughly",
    "daily": "every-day each-day", "weekly": "every-week each-week", "monthly": "every-month each-month",
    "before": "prior ahead-of", "like": "enjoy", "phone": "telephone", "child": "kid", "mother": "mom mum",
    "father": "dad", "vacation": "holiday", "answer": "reply respond response", "store": "save",
    "place": "location", "path": "folder-path file-path", "meeting": "mtg", "every": "each all", "reviewer": "approver",
    "pr": "pull-request", "message": "msg", "password": "passphrase", "often": "frequently",
    "via": "by-means-of", "permit": "allow", "forbid": "disallow prohibit ban",
    "developer": "dev engineer", "laptop": "notebook", "salary": "wage", "car": "automobile",
}  # fmt: skip
SYNONYMS = {word: head for head, words in _SAME.items() for word in words.split()}
_PHRASES = {
    "pull request": "pr", "every day": "daily", "each day": "daily", "every week": "weekly", "each week": "weekly",
    "once a week": "weekly", "once a day": "daily", "every month": "monthly", "each month": "monthly",
    "once a month": "monthly", "kick off": "begin", "kicks off": "begin", "prior to": "before", "ahead of": "before",
    "in order to": "to", "in charge of": "responsible", "responsible for": "responsible", "as well as": "and",
    "such as": "like-for-example", "at least": "at-least", "at most": "at-most", "more than": "more-than",
    "less than": "less-than", "no more than": "at-most", "no less than": "at-least", "set up": "setup",
    "by means of": "via", "would like": "want", "takes place": "happen", "take place": "happen", "is able to": "can",
    "are able to": "can", "due to": "because", "a lot of": "many", "lots of": "many", "turn on": "enable",
    "keep in mind": "note", "bear in mind": "note", "has to": "must", "have to": "must", "had to": "must",
    "needs to": "must", "need to": "must", "has an allergy": "is allergic", "turned on": "enable", "times out": "timeout", "time out": "timeout", "timed out": "timeout", "every night": "nightly",
    "each night": "nightly", "every morning": "each-morning", "backed up": "backup", "back up": "backup", "backs up": "backup", "turn off": "disable", "turned off": "disable", "switch off": "disable",
    "switch on": "enable", "pull requests": "pr",
}  # fmt: skip
_PHRASE = re.compile(r"\b(?:" + "|".join(sorted(_PHRASES, key=len, reverse=True)) + r")\b")
_SHORT = {
    "won't": "will not", "can't": "can not", "cannot": "can not", "shan't": "shall not", "n't": " not",
    "'m": " am", "'re": " are", "'ve": " have", "'ll": " will",
}  # fmt: skip
_TOKEN = re.compile(r"`[^`]*`|'s\b|[a-z0-9_][\w.@/:+#$%&~-]*[\w/+#%]|[\w$€%#]")
_DOUBLE = re.compile(r"([bdfgmnprt])\1$")
_IRREGULAR = {
    "ran": "run", "went": "go", "gone": "go", "goes": "go", "sent": "send", "kept": "keep", "held": "hold",
    "met": "meet", "made": "make", "took": "take", "taken": "take", "wrote": "write", "written": "write",
    "built": "build", "broke": "break", "broken": "break", "chose": "choose", "chosen": "choose", "began": "begin",
    "left": "leave", "lives": "live", "lived": "live", "people": "person", "children": "child", "used": "use",
    "uses": "use", "using": "use", "dies": "die", "tied": "tie", "led": "lead", "paid": "pay", "bought": "buy",
}  # fmt: skip
_AS_IS = word_set(
    "redis kubernetes https http dns aws ios macos js ts css sass status this less https postgres jenkins analysis"
    " news bus gas series during morning evening bring spring string thing nothing anything king ring sing need"
    " speed feed seed bed red shed bleed exceed proceed hundred embed"
)


def plain(text: str) -> str:
    """Lower case, one kind of quote and dash, no short forms."""
    text = " ".join(text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"').split())
    text = text.replace("–", "-").replace("—", " - ").casefold()
    for short, full in _SHORT.items():
        text = text.replace(short, full) if short in text else text
    return text


def tokens(text: str) -> list[str]:
    """The words of a text as they stand, lower case; names with points, slashes and hyphens stay whole."""
    return _TOKEN.findall(
        _PHRASE.sub(lambda m: _PHRASES[m[0]], plain(text)).replace("'s ", " 's ").replace("s' ", "s 's ")
    )


@lru_cache(8192)
def stem(word: str) -> str:
    """The form a word shares with its inflections and synonyms."""
    word = SYNONYMS.get(word, word)
    if not word.isalpha() or len(word) < 3 or word in _AS_IS:
        return word
    word = _IRREGULAR.get(word, word)
    base = word if len(word) < 4 else _cut(SYNONYMS.get(word, word))
    base = SYNONYMS.get(base) or SYNONYMS.get(base + "e") or base
    return base.removesuffix("e") if len(base) > 3 else base


def _cut(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is", "ous")):
        return word[:-1]
    if word.endswith("ing") and len(word) > 5:
        return _DOUBLE.sub(r"\1", word[:-3])
    if word.endswith("ied"):
        return word[:-3] + "y"
    if word.endswith("ed") and len(word) > 4:
        return _DOUBLE.sub(r"\1", word[:-2])
    return word
