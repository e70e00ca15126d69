"""The exporter's numbers depend on what the process exported before; the graph's bytes do not."""

import onnx
from onnx import TensorProto, helper

from stagewise.compression.graph import renumber


def graph(first: int, node: int) -> onnx.ModelProto:
    """y = x > limit ? x + w : x * limit, with the exporter's numbers beginning at ``first`` and ``node``."""
    limit, sign = f"val_{first}", f"val_{first + 7}"
    branches = []
    for number, operator in enumerate(("Add", "Mul")):
        out = f"{operator.lower()}_{first + number}"
        other = "network.layer_1.w_5" if operator == "Add" else limit
        step = helper.make_node(operator, ["x_1", other], [out], name=f"node_{operator}_{node + number}")
        output = helper.make_tensor_value_info(out, TensorProto.FLOAT, [])
        branches.append(helper.make_graph([step], operator, [], [output]))
    nodes = [
        helper.make_node("Greater", ["x_1", limit], [sign], name=f"node_Greater_{node}"),
        helper.make_node("If", [sign], ["val_0"], f"node_If_{node}", then_branch=branches[0], else_branch=branches[1]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("x_1", "val_0"))
    values = [(limit, 1.0), ("network.layer_1.w_5", 2.0)]
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in values]
    return helper.make_model(helper.make_graph(nodes, "graph", [x], [y], constants))


def test_graphs_that_differ_in_numbers_only_become_equal() -> None:
    one, two = graph(3, 0), graph(40, 9)
    assert one.SerializeToString(deterministic=True) != two.SerializeToString(deterministic=True)
    for model in (one, two):
        renumber(model)
        onnx.checker.check_model(model, full_check=True)
    assert one.SerializeToString(deterministic=True) == two.SerializeToString(deterministic=True)


def test_names_that_mean_something_stay_and_none_is_given_twice() -> None:
    model = graph(3, 0)
    renumber(model)
    assert [item.name for item in (*model.graph.input, *model.graph.output)] == ["x_1", "val_0"]
    # The output has val_0 already.
    assert [item.name for item in model.graph.initializer] == ["val_1", "network.layer_1.w_5"]
    assert model.graph.node[0].output[0] == "val_2"
