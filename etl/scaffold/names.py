"""Names that become part of an SQL text: read as PostgreSQL reads them, quoted where it must be.

Source: PostgreSQL manual, "Identifiers and Key Words", and appendix "SQL Key Words".
"""

import re
from collections.abc import Sequence

from etl.errors import UsageError

LONGEST = 63
"""Bytes of the longest name; PostgreSQL cuts what is longer, and would mean another table."""

# Those that pg_get_keywords() of PostgreSQL 15 to 18 calls anything but unreserved.
_KEYWORDS = """
all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
boolean both case cast char character check coalesce collate collation column concurrently
constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user dec decimal default deferrable desc distinct do else end except
exists extract false fetch float for foreign freeze from full grant greatest group grouping
having ilike in initially inner inout int integer intersect interval into is isnull join json
json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
json_serialize json_table json_value lateral leading least left like limit localtime
localtimestamp merge_action national natural nchar none normalize not notnull null nullif
numeric offset on only or order out outer overlaps overlay placing position precision primary
real references returning right row select session_user setof similar smallint some substring
symmetric system_user table tablesample then time timestamp to trailing treat trim true union
unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat
xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""Words that are no name without quotes."""

_PART = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_$]*)')
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


def table(text: str) -> str:
    """A table as SQL, such as ``shop.orders`` or ``"My Shop"."Orders"``.

    Raises:
        UsageError: It is no name of a schema and a table.
    """
    return ".".join(quoted(part) for part in _parts("--table", text, ("schema", "table")))


def column(text: str) -> str:
    """A column as SQL.

    Raises:
        UsageError: It is no name of a column.
    """
    return quoted(_parts("--key", text, ("column",))[0])


def quoted(name: str) -> str:
    """A name as SQL, in double quotes unless it means the same without."""
    if _PLAIN.match(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def _parts(option: str, text: str, wanted: Sequence[str]) -> list[str]:
    found: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        # As in SQL, what stands without quotes is in small letters.
        found.append(match[1].replace('""', '"') if match[1] else match[2].lower())
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    if position != len(text) or len(found) != len(wanted) or not all(map(_is_usable, found)):
        raise UsageError(
            f"{option} must be {'.'.join(wanted)}, not {text!a}",
            'Write it as in SQL; a name with other signs than letters, digits and _ as "My Name".',
        )
    return found


def _is_usable(name: str) -> bool:
    # "$$" would end the quote around a procedure's body; half a character is not printable.
    return name.isprintable() and "$$" not in name and len(name.encode()) <= LONGEST
