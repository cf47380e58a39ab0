"""The rules of `etl explain`, on plans of every kind that a small server does not make at will."""

from typing import Any

import pytest

from etl.explain.condition import parts, read
from etl.explain.finding import misjudged, spilled, unvacuumed, wasted
from etl.explain.index import Wanted, derive, serving
from etl.explain.observe import Query
from etl.explain.tables import Column, Index, Table
from etl.explain.words import reads, steps
from etl.queryplan import Name, Node

THING = Name("shop", "thing")


def node(kind: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A step of a plan; names of keys have _ for a blank."""
    raw = {"Node Type": kind, "Plan Rows": 1, "Actual Rows": 1, "Actual Loops": 1}
    raw |= {key.replace("_", " "): value for key, value in more.items()}
    return {**raw, "Plans": list(children)}


def scan(kind: Any = "Seq Scan", *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A step that reads the table."""
    named = {"Schema": "shop", "Relation_Name": "thing", "Alias": "t"}
    return node(kind, *children, **{**named, **more})


def query(plan: dict[str, Any]) -> list[Query]:
    return [Query("prioritization", "prioritize.sql", 1, 1.0, Node(plan))]


def table(**more: Any) -> dict[Name, Table]:
    facts: dict[str, Any] = {
        "name": THING,
        "rows": 100_000.0,
        "changed": 0,
        "written": 100_000,
        "rewritten": 90_000,
        "analyze": "ANALYZE shop.thing;",
        "vacuum": "VACUUM shop.thing;",
        "primary_key": ["id"],
        "columns": {
            "id": Column(True, 100_000),
            "kind": Column(True, 3),
            "part": Column(True, 500),
            "odd one": Column(True, 100),
            "done": Column(True, 2),
        },
        "indexes": [],
    }
    return {THING: Table(**{**facts, **more})}


def wanted_by(node: Node, *conditions: str, **more: Any) -> Wanted:
    """The index that a scan lacks, of a table about which more is known."""
    wanted = derive(node, table(**more)[THING], conditions)
    assert wanted is not None
    return wanted


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("t.done", ["t.done"]),
        ("((t.a = 1) AND (t.b > 2))", ["t.a = 1", "t.b > 2"]),
        ("((t.a = ' AND ('::text) AND (NOT t.b))", ["t.a = ' AND ('::text", "NOT t.b"]),
        (
            "(((t.a = 1) AND t.c) AND (t.b = ANY ('{1}'::int[])))",
            ["t.a = 1", "t.c", "t.b = ANY ('{1}'::int[])"],
        ),
        ("((t.a = 1) OR (t.b = 2))", ["(t.a = 1) OR (t.b = 2)"]),
        ('(t."x AND y" = 1)', ['t."x AND y" = 1']),
    ],
)
def test_conditions_are_taken_apart(condition: str, expected: list[str]) -> None:
    assert parts(condition) == expected


@pytest.mark.parametrize(
    ("condition", "equal", "within", "states"),
    [
        ("(t.part = 42)", ["part"], [], []),
        ("(42 = t.part)", ["part"], [], []),
        ("(t.part = ANY ('{1,2}'::integer[]))", ["part"], [], []),
        ("((t.kind)::text = 'x'::text)", ["kind"], [], []),
        ("(t.part <= $1)", [], ["part"], []),
        ("(u.part = 42)", [], [], []),
        ("(t.part = t.kind)", [], [], []),
        ("((t.part + 1) = 42)", [], [], []),
        ("(t.part <> 42)", [], [], []),
        ("((t.part = 1) OR (t.kind = 2))", [], [], []),
        ("(NOT t.done)", [], [], [("done", "NOT")]),
        ('(t."odd one" IS NOT NULL)', [], [], [("odd one", "IS NOT NULL")]),
    ],
)
def test_what_is_asked_of_columns(
    condition: str, equal: list[str], within: list[str], states: list[tuple[str, str]]
) -> None:
    asked = read([condition], "t")
    assert (asked.equal, asked.within, asked.states) == (equal, within, states)


@pytest.mark.parametrize(
    ("condition", "keys", "states"),
    [
        # What leaves the fewest rows comes first, and nothing that leaves no fewer.
        ("((t.kind = 1) AND (t.part = 2) AND (t.id > 7))", ["part", "kind"], []),
        ("((t.id = 1) AND (t.part = 2))", ["id"], []),
        ("((t.kind = 1) AND (t.id > 7))", ["kind", "id"], []),
        ("((t.kind = 1) AND t.done)", ["kind"], [("done", "")]),
        ("(NOT t.done)", ["id"], [("done", "NOT")]),
    ],
)
def test_the_index_of_a_scan(
    condition: str, keys: list[str], states: list[tuple[str, str]]
) -> None:
    wanted = wanted_by(Node(scan(Filter=condition)))
    assert (wanted.keys, wanted.states, wanted.include) == (keys, states, [])


def test_no_index_where_no_condition_leads_to_one() -> None:
    assert derive(Node(scan(Filter="(lower(t.kind) = 'x'::text)")), table()[THING]) is None
    assert derive(Node(scan(Filter="(t.xmin = 5)")), table()[THING]) is None


def test_an_index_holds_all_that_is_read_where_rows_are_never_updated() -> None:
    raw = scan(Filter="(t.part = 2)", Output=["t.id", "(t.kind + 1)", "xt.done"])
    assert wanted_by(Node(raw), rewritten=0).include == ["id", "kind"]


@pytest.mark.parametrize(
    ("more", "is_waste"),
    [
        ({}, True),
        ({"Rows_Removed_by_Filter": 999}, False),  # few rows
        ({"Shared_Hit_Blocks": 99}, False),  # a small table
        ({"Actual_Rows": 20_000}, False),  # a good part of it is wanted
        ({"Node_Type": "Index Scan", "Index_Name": "x"}, True),
        ({"Shared_Hit_Blocks": 40, "Shared_Read_Blocks": 60}, True),
    ],
)
def test_a_large_scan_that_keeps_few_rows_is_waste(more: dict[str, Any], is_waste: bool) -> None:
    measured = {"Filter": "(t.part = 1)", "Rows_Removed_by_Filter": 50_000}
    plan = scan("Seq Scan", **{**measured, "Shared_Hit_Blocks": 5_000, **more})
    assert bool(list(wasted(query(plan), table()))) is is_waste


def test_what_a_join_throws_away_is_the_inner_scans_waste() -> None:
    inner = scan(Actual_Rows=100, Shared_Hit_Blocks=5_000, Actual_Loops=100)
    memory = node("Materialize", inner, Actual_Rows=100, Actual_Loops=100)
    outer = node("CTE Scan", Actual_Rows=100)
    condition = {"Join_Filter": "(t.part = d.part)", "Rows_Removed_by_Join_Filter": 9_990}
    (waste,) = wasted(query(node("Nested Loop", outer, memory, **condition)), table())
    assert (waste.read, waste.kept) == (10_000, 10)
    assert wanted_by(waste.node, *waste.more).keys == ["part"]


@pytest.mark.parametrize(
    ("kind", "plan", "words", "size_kb"),
    [
        (
            "spill",
            node("Sort", Sort_Space_Type="Disk", Sort_Space_Used=2_000, Actual_Rows=9_000),
            "a sort of 9,000 rows wrote 2,000 kB to disk",
            2_000,
        ),
        (
            "spill",
            node("Hash", Hash_Batches=4, Original_Hash_Batches=4, Peak_Memory_Usage=900),
            "a hash table of 1 rows was split into 4 parts, all but one of them on disk",
            3_600,
        ),
        (
            "spill",
            node("Aggregate", Disk_Usage=70, Actual_Rows=3),
            "grouping 3 rows wrote 70 kB to disk",
            70,
        ),
        (
            "lossy_bitmap",
            scan(Lossy_Heap_Blocks=4_000, Exact_Heap_Blocks=6_000, Rows_Removed_by_Index_Recheck=7),
            "the bitmap of shop.thing kept only blocks, not rows, for 4,000 of 10,000",
            585,
        ),
    ],
)
def test_what_did_not_fit_into_memory_is_told_with_its_size(
    kind: str, plan: dict[str, Any], words: str, size_kb: int
) -> None:
    ((finding, size),) = spilled(query(plan)[0])
    assert (finding.kind, finding.what, size) == (kind, words, size_kb)
    assert list(spilled(query(node("Hash", Hash_Batches=1, Original_Hash_Batches=1))[0])) == []


@pytest.mark.parametrize(
    ("came", "expected", "above", "is_found"),
    [
        (50_000, 10, "Sort", True),
        (500, 10, "Sort", False),  # few rows
        (50_000, 6_000, "Sort", False),  # not far off
        (10, 50_000, "Sort", True),
        (10, 50_000, "Limit", False),  # nobody asked for more
    ],
)
@pytest.mark.parametrize("changed", [0, 20_000])
def test_an_estimate_far_off_is_told_where_the_table_has_changed(
    came: int, expected: int, above: str, is_found: bool, changed: int
) -> None:
    plan = node(above, scan(Actual_Rows=came, Plan_Rows=expected))
    found = misjudged(query(plan), table(changed=changed))
    assert any(found) is (is_found and changed > 0)


def test_a_nested_loop_over_more_rows_than_expected() -> None:
    inner = node("Index Scan", Actual_Loops=60_000)
    plan = node("Nested Loop", scan(Actual_Rows=60_000, Plan_Rows=1), inner)
    found = list(misjudged(query(plan), table(rows=-1.0)))
    assert [finding.kind for finding in found] == ["nested_loop", "old_statistics"]
    assert found[0].why.endswith("it was never analyzed.")


@pytest.mark.parametrize(("fetches", "is_found"), [(999, False), (5_000, True)])
def test_second_looks_into_the_table(fetches: int, is_found: bool) -> None:
    plan = scan("Index Only Scan", Actual_Rows=6_000, Heap_Fetches=fetches, Index_Name="x")
    assert bool(list(unvacuumed(query(plan), table()))) is is_found


def test_processes_at_once_are_no_times() -> None:
    part = scan(Actual_Loops=3, Actual_Rows=100, Actual_Total_Time=5.0)
    plan = Node(node("Gather", part, Workers_Launched=2, Actual_Rows=300, Actual_Total_Time=6.0))
    (one,) = reads(plan)
    assert (one.rows, one.times) == (300, 1)
    assert list(steps(plan)) == [(0, "read shop.thing as a whole: 300 rows, 5.0 ms")]


def test_an_existing_index_speaks_for_itself() -> None:
    raw = Node(scan(Filter="((t.part = 2) AND (t.kind = 'x'::text))"))
    wanted = wanted_by(raw)

    def serves(keys: list[str | None], predicate: str) -> bool:
        of = table(indexes=[Index("shop.x", "x", keys, predicate, True, "REINDEX …")])[THING]
        return serving(wanted, raw, of, is_valid=True) is not None

    assert serves(["kind", "part"], "")
    assert serves(["part", "kind", "id"], "(part IS NOT NULL)")
    assert serves(["part", "kind"], "(kind = 'x'::text)")
    assert not serves(["part", "kind"], "(kind = 'y'::text)")
    assert not serves(["id", "part"], "")
    assert not serves([None, "part"], "")
