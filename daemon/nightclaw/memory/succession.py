"""What a new memory of the owner's takes the place of, in the transaction that makes it.

By its key, or by its words: the next session must not be told what the owner has just said is over. What only says the
same again is left for a dream to merge.
"""

from nightclaw.core.trust import Trust
from nightclaw.memory import keys
from nightclaw.memory.alignment import Relation, relation
from nightclaw.memory.gist import gist, marks
from nightclaw.store import memories, neighbours
from nightclaw.store.db import Connection
from nightclaw.store.memories import Memory, NewMemory


def take_place(conn: Connection, new: NewMemory, made: str, now: int) -> str:
    """Every other value of the same gives way to the newest one, which is this unless it was observed before. `made`.

    What says that a value is over ends that value; what holds for a while ends nothing.
    """
    if new.expires_at is not None:
        return made
    older, newer = _by_key(conn, new, made)
    if not older and newer is None:
        older, newer = _by_words(conn, new, made)
    if newer is not None:
        memories.supersede(conn, made, newer.id, now)
        return made
    for old in older:
        memories.supersede(conn, old.id, made, now)
        memories.sketch(conn, old.id, marks(gist(old.text), old.private, old.repo))
    return made


def is_near(held: Memory, new: NewMemory) -> bool:
    """Both are of one scope: what is said of one repository says nothing of another, nor of all."""
    return (held.private, held.repo) == (new.private, new.repo)


def _by_key(conn: Connection, new: NewMemory, made: str) -> tuple[list[Memory], Memory | None]:
    """(what it is the newer of, what it is older than)."""
    fact = keys.fact_of(new.text)
    if new.fact_key is None or fact is None or fact.is_multi:
        return [], None
    held = [m for m in memories.by_key(conn, new.fact_key) if m.id != made and is_near(m, new)]
    held = [m for m in held if m.expires_at is None and (fact.holds or m.fact_value == fact.value)]
    newer = [m for m in held if m.trust is Trust.OWNER and m.observed_at > new.observed_at]
    return held, newer[-1] if newer else None


def _by_words(conn: Connection, new: NewMemory, made: str) -> tuple[list[Memory], Memory | None]:
    said = gist(new.text)
    if said is None:
        return [], None
    older = list[Memory]()
    for held in neighbours.beside(conn, [said.spoken]):
        then = gist(held.text)
        if (
            held.id == made
            or held.state not in memories.LIVE
            or held.expires_at is not None
            or not is_near(held, new)
            or then is None
        ):
            continue
        if held.observed_at > new.observed_at:
            if held.trust is Trust.OWNER and relation(said, then) in _OVER:
                return [], held
        elif relation(then, said) in _OVER:
            older.append(held)
    return older, None


_OVER = (Relation.NEWER, Relation.ENDS)
