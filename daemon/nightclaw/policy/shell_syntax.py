"""A shell line as simple commands: parsed with a grammar, checked by a second reading, words evaluated.

Guarantees: every token of the line belongs to exactly one command or keyword, or the line has a fault; what stands in
substitutions, here-documents, functions and branches is among the commands; nothing is run and nothing is looked up.
A line with faults is not understood: its commands are a best effort, for deny rules only.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from nightclaw.policy.shell_flow import Flow, Simple
from nightclaw.policy.shell_letters import hidden_characters, mistakable_characters
from nightclaw.policy.shell_lexer import REDIRECTS, Sort, Token, Unclear, cut
from nightclaw.policy.wordlist import names

if TYPE_CHECKING:
    from tree_sitter import Language, Node

LONGEST = 8_000
"""Characters; a longer line is not read."""

_BLOCKS = frozenset(
    {
        "program",
        "list",
        "compound_statement",
        "do_group",
        "subshell",
        "else_clause",
        "elif_clause",
        "if_statement",
    }
)
_SIMPLE = frozenset({"command", "redirected_statement", "variable_assignment", "variable_assignments"})
_WORDY = frozenset({"declaration_command", "unset_command", "test_command"})
_DEEPEST = 40
_NOT_REDEFINED = names(
    "cd pushd popd command builtin eval exec source . read unset export set declare local time trap"
)


@dataclass(slots=True)
class Reading:
    """commands: every simple command, nested ones included, in the order they would run. faults: why the line is not
    understood; empty when it is."""

    commands: list[Simple] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read(text: str, home: str | None, cwds: tuple[str, ...]) -> Reading:
    """The commands of a line run by a fresh bash in one of `cwds`; `home` is what `~` means."""
    reading = Reading()
    if hidden_characters(text):
        reading.faults.append("it has hidden or control characters")
    if mistakable_characters(text):
        reading.faults.append("it has characters that look like others")
    if len(text) > LONGEST:
        reading.faults.append(f"it is longer than {LONGEST} characters")
        return reading
    flow = Flow(reading.commands, reading.faults, text, home)
    read_into(text, flow, cwds, 0)
    return reading


@cache
def _language() -> "Language":
    # on first use: a daemon that never sees a command does not pay the memory
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Language(tree_sitter_bash.language())


def read_into(text: str, flow: Flow, cwds: tuple[str, ...], depth: int) -> None:
    """Walk `text` and append what it runs to the flow."""
    import tree_sitter

    if depth > _DEEPEST:
        flow.fault("it is nested too deeply")
        return
    raw = text.encode("utf-8", "replace")
    root = tree_sitter.Parser(_language()).parse(raw).root_node
    if root.has_error:
        flow.fault("it does not parse")
    try:
        tokens = cut(raw.decode("latin-1"))
    except Unclear as problem:
        flow.fault(f"it does not parse: {problem}")
        return
    walk = _Walk(tokens, flow, depth)
    try:
        walk.run(root, cwds)
    except RecursionError:
        flow.fault("it is nested too deeply")
    walk.check()


@dataclass(slots=True)
class _Walk:
    """One pass over one tree. claimed: which tokens some command or keyword has taken."""

    tokens: list[Token]
    flow: Flow
    depth: int
    claimed: set[int] = field(default_factory=set)
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [t.start for t in self.tokens]

    def check(self) -> None:
        for k, token in enumerate(self.tokens):
            if k not in self.claimed and token.sort is not Sort.NEWLINE:
                self.flow.fault("two readings of it differ")
                return

    def within(self, node: "Node") -> list[int]:
        first = bisect_left(self.starts, node.start_byte)
        last = bisect_left(self.starts, node.end_byte)
        return [k for k in range(first, last) if self.tokens[k].end <= node.end_byte]

    def claim(self, node: "Node") -> None:
        """A keyword or operator: exactly one token."""
        k = bisect_left(self.starts, node.start_byte)
        if k < len(self.tokens) and (self.tokens[k].start, self.tokens[k].end) == (
            node.start_byte,
            node.end_byte,
        ):
            self.claimed.add(k)
        elif node.type not in ("\n", ""):
            self.flow.fault("two readings of it differ")

    def run(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Directories the shell may be in after the node: when it succeeded, and in any case."""
        kind = node.type
        if node.is_error or node.is_missing:
            self.flow.fault("it does not parse")
        if kind == "comment" or not node.is_named:
            self.claim(node)
        elif kind == "list":
            return self._list(node, cwds)
        elif kind == "pipeline":
            self._pipeline(node, cwds)
        elif kind == "redirected_statement":
            return self._redirected(node, cwds)
        elif kind in _SIMPLE:
            return self._simple(node, cwds)
        elif kind in _WORDY:
            self._wordy(node, cwds)
        elif kind == "subshell":
            with self.flow.aside():
                self._all(node, cwds)
        elif kind == "compound_statement" and node.children and node.children[0].type == "((":
            self._arithmetic(node)
        elif kind in ("program", "compound_statement", "negated_command"):
            return self._all(node, cwds)
        elif kind in (
            "if_statement",
            "elif_clause",
            "else_clause",
            "do_group",
            "while_statement",
            "case_statement",
        ):
            return self._branches(node, cwds)
        elif kind == "for_statement":
            return self._for(node, cwds)
        elif kind == "case_item":
            return self._branches(node, cwds)
        elif kind == "function_definition":
            self._function(node, cwds)
        else:
            self.flow.fault(f"it has a {kind.replace('_', ' ')}, which is not followed")
            self._all(node, cwds)
        return cwds, cwds

    def _all(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        success = cwds
        for child in node.children:
            if child.type == ";;" and node.type != "case_item":
                self.flow.fault("it does not parse")
            if child.is_named and child.type != "comment":
                success, cwds = self.run(child, cwds)
            else:
                self.run(child, cwds)
        return success, cwds

    def _list(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        named = [c for c in node.children if c.is_named and c.type != "comment"]
        for child in node.children:
            if child not in named:
                self.claim(child)
        operator = next((c.type for c in node.children if c.type in ("&&", "||")), "")
        if len(named) != 2 or not operator:
            return self._all(node, cwds)
        success, anyhow = self.run(named[0], cwds)
        with self.flow.aside():
            good, later = self.run(named[1], success if operator == "&&" else anyhow)
        if operator == "&&":
            return good, _union(anyhow, later)
        return _union(success, good), _union(anyhow, later)

    def _pipeline(self, node: "Node", cwds: tuple[str, ...]) -> None:
        feeder: Simple | None = None
        first = True
        with self.flow.aside():
            for child in node.children:
                if not child.is_named or child.type == "comment":
                    self.claim(child)
                    continue
                before = len(self.flow.commands)
                with self.flow.fed(self.flow.feeder if first else feeder, self.flow.is_fed or not first):
                    self.run(child, cwds)
                made = self.flow.commands[before:]
                is_plain = child.type in ("command", "redirected_statement")
                feeder = made[-1] if made and is_plain else None
                first = False

    def _redirected(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        body = node.child_by_field_name("body")
        if body is None or body.type in ("command", "variable_assignment"):
            return self._simple(node, cwds)
        # redirects of a group, loop or test: judged as those of a command that does nothing else
        outside = [k for k in self.within(node) if self.tokens[k].start >= body.end_byte]
        self._later(node, outside, cwds)
        self.claimed.update(outside)
        redirects = [self.tokens[k] for k in outside]
        if body.type in ("list", "pipeline", "negated_command"):
            # the grammar hangs the redirect of the last command on the whole list
            after = self.run(body, cwds)
            self.flow.simple(redirects, after[0], self._nested, is_group=True)
            return after
        self.flow.simple(redirects, cwds, self._nested, is_group=True)
        with self.flow.fed(None, True):
            return self.run(body, cwds)

    def _later(self, node: "Node", taken: list[int], cwds: tuple[str, ...]) -> None:
        """Commands that stand behind a here-document's mark on the same line (`cat <<E | sh`)."""
        for part in node.children:
            if part.type != "heredoc_redirect":
                continue
            for child in part.children:
                if child.type in (
                    "heredoc_start",
                    "heredoc_body",
                    "heredoc_end",
                    "file_redirect",
                    "herestring_redirect",
                ):
                    continue
                if child.is_named and child.type in _SIMPLE | {"pipeline", "list"} | _BLOCKS:
                    taken[:] = [
                        k for k in taken if not (child.start_byte <= self.tokens[k].start < child.end_byte)
                    ]
                    with self.flow.aside(), self.flow.fed(None, True):
                        self.run(child, cwds)
                elif child.type in ("&&", "||", "|", "|&", ";", "&"):
                    self.claim(child)
                    taken[:] = [k for k in taken if self.tokens[k].start != child.start_byte]

    def _simple(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        taken = self.within(node)
        self._later(node, taken, cwds)
        tokens = [self.tokens[k] for k in taken]
        if any(t.sort is Sort.OPERATOR and t.text not in REDIRECTS for t in tokens):
            self.flow.fault("two readings of it differ")
        if any(t.sort in (Sort.NEWLINE, Sort.COMMENT) and not self._is_body(t, tokens) for t in tokens):
            self.flow.fault("two readings of it differ")
        if self.claimed & set(taken) and not self.flow.repeating:
            self.flow.fault("two readings of it differ")
        self.claimed.update(taken)
        return self.flow.simple(tokens, cwds, self._nested)

    @staticmethod
    def _is_body(token: Token, tokens: list[Token]) -> bool:
        return token.sort is Sort.NEWLINE and any(t.body for t in tokens if t.start < token.start)

    def _wordy(self, node: "Node", cwds: tuple[str, ...]) -> None:
        taken = self.within(node)
        tokens = [self.tokens[k] for k in taken]
        self.claimed.update(taken)
        double = tokens[0].text == "[[" if tokens else False
        for token in tokens:
            if token.sort is not Sort.WORD and not (
                double and token.text in ("&&", "||", "(", ")", "<", ">")
            ):
                self.flow.fault("two readings of it differ")
        self.flow.simple([t for t in tokens if t.sort is Sort.WORD], cwds, self._nested)

    def _arithmetic(self, node: "Node") -> None:
        self.claimed.update(self.within(node))
        self.flow.fault("it has an arithmetic command, which is not followed")

    def _branches(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """if, while, case: whatever part runs, the shell ends in one of the directories."""
        ends = cwds
        is_loop = node.type == "while_statement"
        with self.flow.aside():
            for k, child in enumerate(node.children):
                field_name = node.field_name_for_child(k)
                if node.type in ("case_statement", "case_item") and field_name == "value":
                    self._words(child, cwds)
                elif child.is_named and child.type != "comment":
                    _, after = self.run(child, ends)
                    if is_loop and set(after) != set(ends):
                        after = ()
                    ends = _union(ends, after) if after else ()
                else:
                    self.claim(child)
        return ends, ends

    def _words(self, node: "Node", cwds: tuple[str, ...]) -> None:
        taken = self.within(node)
        self.claimed.update(taken)
        for k in taken:
            self.flow.words(self.tokens[k], cwds, self._nested)

    def _for(self, node: "Node", cwds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        name = node.child_by_field_name("variable")
        body = node.child_by_field_name("body")
        values = node.children_by_field_name("value")
        if name is None or body is None or node.children[0].type == "select":
            self.flow.fault("it has a loop that is not followed")
        found = []
        for child in node.children:
            if child == body:
                continue
            if child in values:
                taken = self.within(child)
                self.claimed.update(taken)
                found += [w for k in taken for w in self.flow.words(self.tokens[k], cwds, self._nested)]
            else:
                self.claim(child)
        if body is None:
            return cwds, cwds
        ends = cwds
        with self.flow.aside():
            for _ in self.flow.each((name.text or b"").decode() if name else "", found):
                _, after = self.run(body, ends)
                ends = ends if set(after) == set(ends) else ()
        return ends, ends

    def _function(self, node: "Node", cwds: tuple[str, ...]) -> None:
        body = node.child_by_field_name("body")
        name = node.child_by_field_name("name")
        if name is not None and name.text:
            called = name.text.decode("utf-8", "replace")
            self.flow.functions.add(called)
            if called in _NOT_REDEFINED:
                self.flow.fault(f"it gives {called} another meaning")
        with self.flow.aside():
            for child in node.children:
                if body is not None and child == body:
                    # where it will be called from is not followed
                    _, after = self.run(child, cwds)
                    if set(after) != set(cwds):
                        self.flow.fault("a function that changes the directory")
                elif child.is_named and child.type.endswith("_redirect"):
                    taken = self.within(child)
                    self.claimed.update(taken)
                    self.flow.simple([self.tokens[k] for k in taken], cwds, self._nested, is_group=True)
                else:
                    self.claim(child)

    def _nested(self, text: str, cwds: tuple[str, ...]) -> None:
        with self.flow.aside(), self.flow.fed(None, self.flow.is_fed):
            read_into(text, self.flow, cwds, self.depth + 1)


def _union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """() means: no longer known."""
    if not a or not b:
        return ()
    found = tuple(dict.fromkeys((*a, *b)))
    return found if len(found) <= 4 else ()
