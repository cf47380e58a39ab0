"""What a condition of a plan asks of the columns of one table.

The server writes conditions in one strict form: each operation in parentheses, each column with
its table's alias. What is not understood is left out: a suggestion then does without it.
"""

import re
from dataclasses import dataclass, field

_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\sAND\s|[^'"()\s]+|\s""")
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'


@dataclass(slots=True)
class Asked:
    """What is asked of the columns of a table.

    Attributes:
        equal: Columns compared for equality, also with a list.
        within: Columns compared with a bound.
        states: Columns that have to be true, false, null or not null: with the form,
            one of "", "NOT", "IS NULL", "IS NOT NULL".
    """

    equal: list[str] = field(default_factory=list[str])
    within: list[str] = field(default_factory=list[str])
    states: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def parts(condition: str) -> list[str]:
    """The conditions that AND joins, without the parentheses around each."""
    condition = condition.strip()
    found, depth, outside = [""], 0, 0
    for piece in _PIECE.findall(condition):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        outside += depth == 0
        if depth == 0 and piece.strip() == "AND":
            found.append("")
        else:
            found[-1] += piece
    if len(found) > 1:
        return [part for each in found for part in parts(each)]
    is_enclosed = condition.startswith("(") and condition.endswith(")") and outside == 1
    return parts(condition[1:-1]) if is_enclosed else [condition]


def read(conditions: list[str], alias: str) -> Asked:
    """What conditions ask of the table that has this alias in them."""
    own = rf"{_table(alias)}\.(?P<column>{_NAME})"
    # A varchar is compared as a text; its index serves all the same.
    side = rf"(?:{own}|\({own.replace('column', 'cast')}\)::text)"
    sign = "(?P<sign>=|<=?|>=?)"
    forms = [
        re.compile(rf"{side} {sign} (?P<other>.+)", re.DOTALL),
        re.compile(rf"(?P<other>.+) {sign} {side}", re.DOTALL),
    ]
    state = re.compile(rf"(?P<not>NOT )?{own}(?P<null> IS (?:NOT )?NULL)?")
    asked = Asked()
    for part in (part for condition in conditions for part in parts(condition)):
        if found := state.fullmatch(part):
            form = (found["not"] or found["null"] or "").strip()
            asked.states.append((_unquoted(found["column"]), form))
            continue
        for found in filter(None, (form.fullmatch(part) for form in forms)):
            if not re.search(own, found["other"]) and " OR " not in found["other"]:
                columns = asked.equal if found["sign"] == "=" else asked.within
                columns.append(_unquoted(found["column"] or found["cast"]))
                break
    return asked


def columns_in(texts: list[str], alias: str) -> set[str]:
    """The columns of the table that texts of a plan name."""
    own = re.compile(rf"""(?<![\w."]){_table(alias)}\.({_NAME})""")
    return {_unquoted(found[1]) for text in texts for found in own.finditer(text)}


def _table(alias: str) -> str:
    quoted = '"' + alias.replace('"', '""') + '"'
    return f"(?:{re.escape(quoted)}|{re.escape(alias)})"


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
