import numpy as np
import pytest
import torch
from small_tables import category_column, number_column, number_target, people, table_schema, two_classes

from stagewise.data.schema import Feature
from stagewise.errors import DataError
from stagewise.tasks.inputs.table import LIMIT, TableInputs

NAN = float("nan")


@pytest.fixture
def inputs() -> TableInputs:
    columns = [
        number_column("age", [20.0, 30.0, 40.0]),
        number_column("hours", [10.0, NAN, 30.0]),
        category_column("sex", ["female", "male"]),
        category_column("region", ["north"], missing=True),
    ]
    return TableInputs(table_schema(columns, two_classes()))


def test_numbers_are_standardised_and_gaps_filled_and_told(inputs):
    x = torch.tensor([[30.0, NAN, 1.0, 2.0], [NAN, 40.0, 2.0, 0.0]])
    found = inputs(inputs.decode(x))
    # age: mean 30, standard deviation (200 / 3) ** 0.5; hours: mean 20, standard deviation 10.
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 1.0, 1.0, 2.0], [0.0, 2.0, 0.0, 2.0, 0.0]]))
    assert inputs.network_shape == (3, 3, 3)


def test_is_what_numpy_makes_of_it():
    values, _, columns = people(300)
    inputs = TableInputs(table_schema(columns, two_classes()))
    age, hours, *codes = values.astype(np.float64).T
    filled = np.where(np.isnan(hours), np.nanmedian(hours), hours)
    scaled = [(age - age.mean()) / age.std(), (filled - np.nanmean(hours)) / np.nanstd(hours)]
    expected = np.column_stack([*scaled, np.isnan(hours), *codes])
    np.testing.assert_allclose(inputs(torch.from_numpy(values)).numpy(), expected, atol=1e-5)


def test_a_far_number_is_cut_and_an_unknown_code_is_0(inputs):
    x = torch.tensor([[1e30, -1e30, 3.0, -1.0], [float("inf"), 20.0, NAN, 99.0]])
    found = inputs(x)
    assert found[:, :2].tolist() == [[LIMIT, -LIMIT], [LIMIT, 0.0]]
    assert found[:, 3:].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_table_of_numbers_or_of_categories_alone():
    numbers = TableInputs(table_schema([number_column("a", [1.0, 2.0])], number_target([1, 2])))
    assert numbers.network_shape == (1,)
    assert numbers(torch.tensor([[1.5], [NAN]])).tolist() == [[0.0], [0.0]]
    codes = TableInputs(table_schema([category_column("c", ["x", "y"])], number_target([1, 2])))
    assert codes.network_shape == (0, 3)
    assert codes(torch.tensor([[2.0], [7.0]])).tolist() == [[2.0], [0.0]]


def test_example_and_hostile_rows_are_rows_of_the_table(inputs):
    example, axes = inputs.example()
    assert (example.shape, example.dtype, axes) == ((2, 4), torch.float32, {0: "batch"})
    rows = inputs.hostile(np.random.default_rng(0))
    again = inputs.hostile(np.random.default_rng(0))
    assert all(row.shape == (4,) and row.dtype == np.float32 for row in rows.values())
    assert all(np.array_equal(rows[name], again[name], equal_nan=True) for name in rows)
    assert np.isnan(rows["all missing"][:2]).all()
    assert rows["far above"][2:].tolist() == [2.0, 2.0]
    batch = torch.from_numpy(np.stack(list(rows.values())))
    assert inputs(batch).isfinite().all()


def test_another_kind_of_input_is_refused():
    schema = table_schema([number_column("a", [1.0])], two_classes())
    other = Feature(name="image", kind="image", dtype="uint8", shape=(4, 4, 1), layout="HWC")
    with pytest.raises(DataError, match="no TableEntry"):
        TableInputs(schema.model_copy(update={"features": [other]}))


def test_hostile_rows_hold_every_strange_number_and_code(inputs):
    rows = inputs.hostile(np.random.default_rng(0))
    assert np.isposinf(rows["all infinite"][:2]).all() and np.isneginf(rows["all minus infinite"][:2]).all()
    assert len(set(rows["all one number"][:2].tolist())) == 1
    assert np.isnan(rows["codes missing"][2:]).all() and (rows["codes below all"][2:] < 0).all()
    assert (rows["codes that are none"][2:] == 3).all()
    for place in range(2):
        assert np.isnan(rows[f"number {place} missing"]).tolist() == [place == k for k in range(4)]
