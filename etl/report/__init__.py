"""A page about a job and one of its cycles: gathered from the ledger, drawn, and written.

``gather`` reads the ledger once and only reads; ``facts`` is what it found and what ``--json``
prints; ``charts`` turns facts into places on a page; ``page`` makes HTML of both. A page needs
nothing but itself: no script, no font, no picture from elsewhere.
"""
