"""sed and awk scripts that surely only print: allow-lists of what is understood of the two languages."""

import re
from collections.abc import Sequence

from nightclaw.policy.shell_words import Word

Words = Sequence[Word]
Reads = list[Word] | None

# where a pattern ends is plain only without a slash inside [ ]
_SED_ADDRESS = r"(?:[0-9]+(?:~[0-9]+)?|\$|/(?:[^/\\\n\[]|\\.|\[\^?[^\]\\/\n]+\])*/[IM]*)"
_SED_RANGE = re.compile(rf"(?:{_SED_ADDRESS}(?:\s*,\s*(?:{_SED_ADDRESS}|[+~][0-9]+))?\s*)?(?:!\s*)*")
_SED_PLAIN = re.compile(r"[pdDPgGhHxnNlFz=]|[qQ]\s*[0-9]*|[btT]\s*[A-Za-z0-9_]*|:\s*[A-Za-z0-9_]+")


def sed_only_prints(script: str) -> bool:
    """Whether a sed script has only commands that neither run, read nor write another file."""
    i, depth = 0, 0
    while i < len(script):
        if script[i] in " \t\n;":
            i += 1
            continue
        if script[i] == "#":
            end = script.find("\n", i)
            i = len(script) if end < 0 else end
            continue
        if script[i] == "}":
            i, depth = i + 1, depth - 1
            continue
        i = _SED_RANGE.match(script, i).end()  # pyright: ignore[reportOptionalMemberAccess]
        if i >= len(script):
            return False
        if script[i] == "{":
            i, depth = i + 1, depth + 1
        elif script[i] in "sy":
            i = _sed_replace(script, i)
        elif script[i] in "aic":
            end = script.find("\n", i)
            if "\\\n" in script:
                return False
            i = len(script) if end < 0 else end
        else:
            plain = _SED_PLAIN.match(script, i)
            i = plain.end() if plain else -1
        if i < 0 or (i < len(script) and script[i] not in " \t\n;}" and script[i - 1] != "{"):
            return False
    return depth == 0


def _sed_replace(script: str, i: int) -> int:
    """Past an `s` or `y` command; -1 when it may run or write."""
    mark = script[i + 1 : i + 2]
    if not mark or mark in "\\\n" or mark.isalnum() or mark.isspace():
        return -1
    k, seen, in_class = i + 2, 0, False
    while k < len(script) and seen < 2:
        if script[k] == "\\":
            k += 1
        elif script[k] == "[" and seen == 0 and script[i] == "s":
            # inside [ ] GNU and BSD disagree on where the pattern ends
            if script[k + 1 : k + 2] == "]" or script[k + 1 : k + 3] == "^]":
                return -1
            in_class = True
        elif script[k] == "]":
            in_class = False
        elif script[k] == mark:
            if in_class:
                return -1
            seen += 1
        elif script[k] == "\n":
            return -1
        k += 1
    if seen < 2:
        return -1
    flags = re.compile(r"[gpiIM0-9]*" if script[i] == "s" else r"").match(script, k)
    return flags.end() if flags else -1


def sed(words: Words) -> Reads:
    scripts: list[str] = []
    operands: list[Word] = []
    k, is_over = 0, False
    while k < len(words):
        word = words[k]
        text = word.text
        if text is None or (word.glob and text[:1] in "*?["):
            return None
        if not is_over and word.is_sure and text.startswith("-") and text != "-":
            if text == "--":
                is_over = True
            elif text in (
                "--quiet",
                "--silent",
                "--regexp-extended",
                "--unbuffered",
                "--null-data",
                "--posix",
                "--debug",
            ):
                pass
            elif text.startswith("--expression="):
                scripts.append(text.partition("=")[2])
            elif re.fullmatch(r"-[nErsuz]*e", text) or text == "--expression":
                k += 1
                if k >= len(words) or not words[k].is_sure:
                    return None
                scripts.append(words[k].text or "")
            elif not re.fullmatch(r"-[nErsuz]+|--version|--help", text):
                return None
        else:
            operands.append(word)
        k += 1
    if not scripts:
        if not operands or operands[0].text is None or operands[0].glob:
            return [] if any(w.text in ("--version", "--help") for w in words) else None
        scripts.append(operands.pop(0).text or "")
    return operands if all(sed_only_prints(s) for s in scripts) else None


_AWK_NEVER = re.compile(
    r"\b(?:system|getline|ENVIRON|PROCINFO|SYMTAB|FUNCTAB|ARGV|ARGC|close|fflush|extension|FILENAME\s*=)|@|/inet"
)


def awk_only_prints(program: str) -> bool:
    """Whether an awk program surely runs nothing and writes nowhere; `a | b` and `>` beside `print` count as unsure,
    wherever they stand, since where strings and patterns end is not followed."""
    if _AWK_NEVER.search(program) or "|" in program.replace("||", ""):
        return False
    return ">" not in program or "print" not in program


def awk(words: Words) -> Reads:
    k = 0
    while k < len(words):
        text = words[k].text if words[k].is_sure else None
        if text is None:
            return None
        if text in ("-F", "-v"):
            k += 1
            if k >= len(words) or not words[k].is_sure:
                return None
        elif text == "--":
            k += 1
            break
        elif text.startswith("-") and not re.match(r"-[Fv].", text):
            return None
        elif not text.startswith("-"):
            break
        k += 1
    if k >= len(words) or not words[k].is_sure or not awk_only_prints(words[k].text or ""):
        return None
    # after the program awk takes no more options, so a glob may stand here
    return [w for w in words[k + 1 :] if not re.match(r"[A-Za-z_]\w*=", str(w)) and w.text != "-"]
