"""What a cycle is expected to take, from what others took."""

import math

import pytest

from etl.ledger.cost import NO_WEIGHT, Budget, CostModel, CycleCost, Forecast, ItemCost, fit, octave

TEN_MS = {NO_WEIGHT: ItemCost(100, 10.0, 0.0)}


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(None, -1), (0, 0), (0.9, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (1023, 10), (1024, 11)],
)
def test_an_octave_is_a_power_of_two_of_the_weight(weight: float | None, expected: int) -> None:
    assert octave(weight) == expected


def test_cycles_of_different_size_tell_fixed_cost_and_stretch_apart() -> None:
    cycles = [CycleCost(2, 3.0 + 1.5 * busy / 2, busy) for busy in (2.0, 10.0, 40.0)]
    model = fit(TEN_MS, cycles)
    assert model.fixed_s == pytest.approx(3.0)
    assert model.stretch == pytest.approx(1.5)
    assert model.spread == pytest.approx(0.03)  # the least that is believed
    assert model.cycles == 3


def test_cycles_of_one_size_tell_the_fixed_cost_alone() -> None:
    model = fit(TEN_MS, [CycleCost(1, wall, 4.0) for wall in (5.0, 5.0, 5.0)])
    assert model.stretch == 1.0
    assert model.fixed_s == pytest.approx(1.0)


def test_how_far_predictions_were_off_is_the_spread() -> None:
    model = fit(TEN_MS, [CycleCost(1, wall, 10.0) for wall in (8.0, 10.0, 12.0)])
    ratios = [wall / (model.fixed_s + 10.0) for wall in (8.0, 10.0, 12.0)]
    expected = math.sqrt(sum((ratio - 1) ** 2 for ratio in ratios) / 3)
    assert model.spread == pytest.approx(expected)


def test_one_cycle_says_little() -> None:
    assert fit(TEN_MS, [CycleCost(1, 5.0, 4.0)]).spread == 0.25


def test_items_never_seen_take_what_the_nearest_take_and_heavier_ones_more() -> None:
    model = CostModel({2: ItemCost(9, 4.0, 1.0), 5: ItemCost(9, 30.0, 9.0)})
    assert model.of_item(0).mean_ms == 4.0
    assert model.of_item(3).mean_ms == 8.0
    assert model.of_item(6).mean_ms == 60.0
    assert model.of_item(NO_WEIGHT).mean_ms == 4.0


def test_a_prediction_is_fixed_cost_and_the_share_of_each_worker() -> None:
    model = CostModel({0: ItemCost(9, 1000.0, 250_000.0)}, fixed_s=2.0, stretch=1.2, spread=0.1)
    forecast = Forecast(model, workers=4)
    forecast.add(0, items=100)
    mean = 2.0 + 1.2 * 100 / 4
    assert forecast.prediction().mean_s == pytest.approx(mean)
    deviation = math.hypot(1.2 / 4 * math.sqrt(100 * 0.25), 0.1 * mean)
    assert forecast.prediction().p95_s == pytest.approx(mean + 1.645 * deviation)


def test_a_budget_admits_while_the_predicted_finish_fits() -> None:
    model = CostModel({0: ItemCost(9, 1000.0, 0.0)}, spread=0.0)
    budget = Budget(model, workers=2, limit_s=5.0)
    assert [budget.admits("0") for _ in range(11)] == [True] * 10 + [False]
    assert budget.is_exceeded
    predicted = budget.prediction()
    assert predicted is not None
    assert predicted.mean_s == 5.0


def test_there_is_always_time_for_the_first_item() -> None:
    budget = Budget(CostModel({0: ItemCost(9, 60_000.0, 0.0)}), workers=1, limit_s=1.0)
    assert [budget.admits("0"), budget.admits("0")] == [True, False]


def test_without_history_or_limit_all_are_admitted() -> None:
    for budget in (Budget(None, 1, 0.001), Budget(CostModel(TEN_MS), 1, None)):
        assert all(budget.admits(None) for _ in range(1000))
        assert not budget.is_exceeded
    assert Budget(CostModel(TEN_MS), 1, None).prediction() is None


@pytest.mark.parametrize("weight", ["-1", "much", "nan", "inf", ""])
def test_a_weight_is_a_number_from_0_on(weight: str) -> None:
    with pytest.raises(ValueError, match=weight or "float"):
        Budget(None, 1, None).admits(weight)


def test_where_no_record_tells_what_a_cycle_took_it_takes_what_its_items_take() -> None:
    model = fit(TEN_MS, [])
    assert (model.fixed_s, model.stretch, model.cycles) == (0.0, 1.0, 0)
    assert model.spread == 0.25


@pytest.mark.parametrize("weight", ["1e18", "1e300", "1.7e308"])
def test_of_a_weight_beyond_all_others_a_prediction_is_a_number(weight: str) -> None:
    budget = Budget(CostModel({0: ItemCost(9, 10.0, 4.0)}), workers=2, limit_s=60.0)
    assert budget.admits(weight)
    predicted = budget.prediction()
    assert predicted is not None
    assert math.isfinite(predicted.p95_s)
    assert octave(float(weight)) <= 63
