"""An item that is a range of keys: how a batch is cut off one, and what remains.

Its values are ``kind``, ``first_key``, ``last_key`` and, as its weight, how many keys it has.
Whatever is cut off, the weights of part and rest add up to that of the whole: so do the counts.
"""

from etl.model import WEIGHT, Claim

KIND, FIRST_KEY, LAST_KEY = "kind", "first_key", "last_key"
"""The columns that the prioritization of a job with key ranges has, beside those of any job."""


def bounds(claim: Claim) -> tuple[int, int]:
    """First and last key of a range."""
    return int(claim.values[FIRST_KEY] or 0), int(claim.values[LAST_KEY] or 0)


def keys_in(claim: Claim) -> int:
    """How many keys a range had when it was listed, or cut."""
    return int(claim.values[WEIGHT] or 0)


def cut(claim: Claim, last_key: int, keys: int) -> Claim:
    """A first part of a range, which knows the rest.

    Args:
        claim: The range; no part of another one.
        last_key: Last key of the part, before that of the range.
        keys: How many keys it has.
    """
    first, last = bounds(claim)
    known = keys_in(claim)
    keys = min(keys, known)  # there may be more by now
    rest = _between(claim, last_key + 1, last, known - keys)
    return _between(claim, first, last_key, keys)._replace(rest=rest)


def whole(claim: Claim) -> Claim:
    """A part together with its rest; any other claim as it is."""
    rest = claim.rest
    if rest is None:
        return claim
    keys = keys_in(claim) + keys_in(rest)
    return _between(claim, bounds(claim)[0], bounds(rest)[1], keys)


def beginning_at(claim: Claim, first_key: int) -> Claim:
    """A range without what is before a key, because there are no keys."""
    return _between(claim, first_key, bounds(claim)[1], keys_in(claim))


def range_key(kind: str | None, first_key: str | None, last_key: str | None) -> str | None:
    """The item key of a range, as etl.range_key of the database makes it; None: it is no range."""
    try:
        first, last = int(first_key or ""), int(last_key or "")
    except ValueError:
        return None
    return _key(kind, first, last) if kind is not None and first <= last else None


def _key(kind: str | None, first: int, last: int) -> str:
    return f"{kind}:{first}" + (f"..{last}" if last != first else "")


def _between(claim: Claim, first: int, last: int, keys: int) -> Claim:
    key = _key(claim.values[KIND], first, last)
    values = {
        **claim.values,
        "item_key": key,
        FIRST_KEY: str(first),
        LAST_KEY: str(last),
        WEIGHT: str(keys),
    }
    return claim._replace(item_key=key, values=values, rest=None)
