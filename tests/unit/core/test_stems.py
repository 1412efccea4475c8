"""Stems are those of the index: every word is cut here as SQLite cuts it there."""

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from nightclaw.core.stems import stem, words
from nightclaw.policy.wordlist import names

ENDINGS = sorted(names(
    """s es ies ed ing eed ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness
    fulness ousness aliti iviti biliti logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant
    ement ment ent ion sion tion ou ism ate iti ous ive ize e ll y sses ss"""
))  # fmt: skip
STARTS = st.text("bcdghlmnprstvw", min_size=3, max_size=7)


def cut(texts: list[str]) -> list[list[str]]:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE f USING fts5(t, tokenize = 'porter unicode61')")
        db.execute("CREATE VIRTUAL TABLE v USING fts5vocab(f, 'instance')")
        db.executemany("INSERT INTO f (rowid, t) VALUES (?, ?)", enumerate(texts))
        found: list[list[str]] = [[] for _ in texts]
        for term, row in db.execute("SELECT term, doc FROM v ORDER BY doc, offset"):
            found[row].append(term)
    db.close()
    return found


@given(
    st.lists(st.builds(str.__add__, STARTS, st.sampled_from(ENDINGS)), min_size=1, max_size=60, unique=True)
)
@settings(max_examples=150, deadline=None)
def test_any_word_has_the_stem_the_index_gives_it(made: list[str]) -> None:
    assert [[stem(word)] for word in made] == cut(made)


@given(st.text(st.sampled_from("aZ_-'. \n\t/@#"), max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_has_the_tokens_the_index_gives_it(text: str) -> None:
    assert [stem(word) for word in words(text)] == cut([text])[0]
