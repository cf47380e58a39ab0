"""Names and comments in SQL files, as far as the checks read these."""

import re

QUOTED = r'"(?:[^"]|"")+"'
NAME = rf"(?:\w+|{QUOTED})"
"""Regular expressions: one name, in double quotes, or with and without."""

_COMMENT = re.compile(rf"({QUOTED})|--[^\n]*")


def uncommented(text: str) -> str:
    """The text without its comments; what stands in double quotes is none."""
    return _COMMENT.sub(lambda found: found[1] or "", text)
