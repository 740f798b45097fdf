"""broken_parts.py - what broken files are made of: nodes, bytes of the wire format, data beside
the model, functions."""

import os
import struct

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.onnx_ml_pb2 import AttributeProto

F32, I64 = TensorProto.FLOAT, TensorProto.INT64

# ---------------------------------------------------------------- building


def value(name, shape=(1, 4), dtype=F32):
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op, inputs, outputs, name="bad", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def ints(name, *numbers):
    return tensor(name, np.array(numbers, dtype=np.int64))


def model(
    nodes, inputs=None, outputs=None, constants=(), opset=17, ir=8, functions=(), opsets=None
):
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x")] if inputs is None else inputs,
        [value("y", None)] if outputs is None else outputs,
        list(constants),
    )
    imports = opsets or [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir, functions=list(functions))


def relu(name="good", a="x", b="y"):
    return node("Relu", [a], [b], name)


def file(content, name="model.onnx"):
    """A writer of one file: of bytes, of a message, or of what a function makes."""

    def write(folder):
        data = content() if callable(content) else content
        path = os.path.join(folder, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.SerializeToString())
        return path

    return write


def one(op, inputs=("x",), outputs=("y",), constants=(), graph_inputs=None, opset=17, **attributes):
    """A model of one node named 'bad'."""
    return file(
        lambda: model(
            [node(op, list(inputs), list(outputs), **attributes)],
            constants=constants,
            inputs=graph_inputs,
            opset=opset,
        )
    )


# ---------------------------------------------------------------- the wire format by hand


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def block(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


GRAPH_OF_MODEL, NODE_OF_GRAPH, ATTRIBUTE_OF_NODE, G_OF_ATTRIBUTE = 7, 1, 5, 6
HEAD = number(1, 8) + block(8, number(2, 17))


def nested(levels):
    graph = b""
    for _ in range(levels):
        attribute = block(1, b"body") + block(G_OF_ATTRIBUTE, graph) + number(20, 5)
        graph = block(NODE_OF_GRAPH, block(4, b"Loop") + block(ATTRIBUTE_OF_NODE, attribute))
    return HEAD + block(GRAPH_OF_MODEL, graph)


def nested_types(levels):
    inner = b""
    for _ in range(levels):
        inner = block(4, block(1, inner))
    return HEAD + block(GRAPH_OF_MODEL, block(11, block(1, b"x") + block(2, inner)))


def empty_nodes(n):
    return HEAD + block(GRAPH_OF_MODEL, block(NODE_OF_GRAPH, b"") * n)


def empty_dimensions(n):
    return HEAD + block(
        GRAPH_OF_MODEL,
        block(11, block(1, b"x") + block(2, block(1, number(1, 1) + block(2, b"\x0a\x00" * n)))),
    )


def empty_attributes(n):
    return HEAD + block(
        GRAPH_OF_MODEL, block(NODE_OF_GRAPH, block(4, b"Relu") + block(ATTRIBUTE_OF_NODE, b"") * n)
    )


def good_bytes():
    return model([relu()]).SerializeToString()


def cut(fraction):
    def make():
        data = model(
            [node("Add", ["x", "w"], ["y"])], constants=[tensor("w", np.ones((1, 4), np.float32))]
        )
        data = data.SerializeToString()
        return data[: int(len(data) * fraction)]

    return make


def raw_tensor(name=b"w", dims=(), dtype=F32):
    """A TensorProto without data, in bytes; data is added behind."""
    return b"".join(number(1, d & 2**64 - 1) for d in dims) + number(2, dtype) + block(8, name)


def with_tensor(content, op="Add"):
    """A model `bad = op(x, w)` whose w is given in bytes."""

    def join():
        graph = model([node(op, ["x", "w"], ["y"])]).graph.SerializeToString() + block(5, content)
        return HEAD + block(GRAPH_OF_MODEL, graph)

    return file(join)


# ---------------------------------------------------------------- external data


def external(location, extra=(), data=16, prepare=None):
    """w = 4 floats in a file beside the model, in a folder of its own below `folder`."""

    def write(folder):
        inside = os.path.join(folder, "inside")
        os.makedirs(os.path.join(inside, "sub"))
        for path in (os.path.join(folder, "secret.bin"), os.path.join(inside, "w.bin")):
            with open(path, "wb") as f:
                f.write(bytes(data))
        if prepare:
            prepare(folder, inside)
        w = TensorProto(name="w", dims=[4], data_type=F32, data_location=TensorProto.EXTERNAL)
        where = location(folder) if callable(location) else location
        for key, text in ([("location", where)] if where is not None else []) + list(extra):
            w.external_data.add(key=key, value=text)
        return file(model([node("Add", ["x", "w"], ["y"])], constants=[w]))(inside)

    return write


def link_file(folder, inside):
    os.symlink("../secret.bin", os.path.join(inside, "link.bin"))


def link_folder(folder, inside):
    os.symlink("..", os.path.join(inside, "up"))


def fifo(folder, inside):
    os.mkfifo(os.path.join(inside, "pipe.bin"))


# ---------------------------------------------------------------- functions


def function(name, inputs, outputs, nodes, domain="f", **more):
    return helper.make_function(
        domain,
        name,
        inputs,
        outputs,
        nodes,
        [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)],
        **more,
    )


def call(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, domain="f", **attributes)


def with_functions(functions, nodes):
    return model(
        nodes,
        functions=functions,
        opsets=[helper.make_opsetid("", 17), helper.make_opsetid("f", 1)],
    )


def doubling(levels):
    functions = [function("f0", ["a"], ["b"], [relu("", "a", "b")])]
    for i in range(1, levels + 1):
        functions.append(
            function(
                f"f{i}",
                ["a"],
                ["c"],
                [call(f"f{i-1}", ["a"], ["b"]), call(f"f{i-1}", ["b"], ["c"])],
            )
        )
    return with_functions(functions, [call(f"f{levels}", ["x"], ["y"], "bad")])


def chain(levels):
    functions = [function("f0", ["a"], ["b"], [relu("", "a", "b")])]
    for i in range(1, levels + 1):
        functions.append(function(f"f{i}", ["a"], ["b"], [call(f"f{i-1}", ["a"], ["b"])]))
    return with_functions(functions, [call(f"f{levels}", ["x"], ["y"], "bad")])


def hidden_chain(levels):
    """Each function is called at the top before the one that calls it."""
    m = chain(levels)
    calls = [call(f"f{i}", ["x"], [f"t{i}"]) for i in range(levels)]
    m.graph.node.extend(calls)
    nodes = list(m.graph.node)
    del m.graph.node[:]
    m.graph.node.extend(nodes[1:] + nodes[:1])
    return m


def default_graph():
    """A function whose attribute is by default a graph that calls the function."""
    body = helper.make_graph([call("f", ["a"], ["t"])], "b", [], [value("t")])
    branch = helper.make_node("If", ["a"], ["b"])
    for name in ("then_branch", "else_branch"):
        branch.attribute.append(
            AttributeProto(name=name, type=AttributeProto.GRAPH, ref_attr_name="body")
        )
    f = function(
        "f", ["a"], ["b"], [branch], attribute_protos=[helper.make_attribute("body", body)]
    )
    return with_functions([f], [call("f", ["x"], ["y"], "bad")])


def recursion(a, b):
    return with_functions(
        [
            function("f", ["a"], ["b"], [call(b, ["a"], ["b"])]),
            function("g", ["a"], ["b"], [call(a, ["a"], ["b"])]),
        ],
        [call("f", ["x"], ["y"], "bad")],
    )


def two_kinds():
    n = node("LeakyRelu", ["x"], ["y"])
    n.attribute.append(AttributeProto(name="alpha", type=AttributeProto.FLOAT, f=0.5, i=3))
    return model([n])


def typeless():
    n = node("LeakyRelu", ["x"], ["y"])
    n.attribute.append(AttributeProto(name="alpha"))
    return model([n])


def stray_reference():
    n = node("LeakyRelu", ["x"], ["y"])
    n.attribute.append(AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="a"))
    return model([n])


def bad_reference():
    n = helper.make_node("LeakyRelu", ["a"], ["b"], name="inner")
    n.attribute.append(
        AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="nope")
    )
    return with_functions([function("f", ["a"], ["b"], [n])], [call("f", ["x"], ["y"], "bad")])


def twice(attribute):
    n = node("LeakyRelu", ["x"], ["y"])
    n.attribute.extend(
        [helper.make_attribute(attribute, 0.1), helper.make_attribute(attribute, 0.2)]
    )
    return model([n])


def dual_data():
    w = TensorProto(
        name="w",
        dims=[4],
        data_type=F32,
        raw_data=struct.pack("4f", 1, 2, 3, 4),
        float_data=[5, 6, 7, 8],
    )
    return model([node("Add", ["x", "w"], ["y"])], constants=[w])


def sparse():
    m = model([node("Add", ["x", "w"], ["y"])])
    m.graph.sparse_initializer.append(
        helper.make_sparse_tensor(tensor("w", np.ones(1, np.float32)), ints("i", 0), [4])
    )
    return m


def bad_subgraph():
    branch = helper.make_graph([node("Relu", ["nowhere"], ["t"], "inner")], "b", [], [value("t")])
    return model(
        [node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        inputs=[value("c", (), TensorProto.BOOL)],
    )


def many_unknown():
    nodes = [node("Frobnicate", ["x"], [f"a{i}"], f"n{i}", domain="com.acme") for i in range(3)]
    return model(
        nodes + [node("Quux", ["a0"], ["y"], "q")],
        opsets=[helper.make_opsetid("", 17), helper.make_opsetid("com.acme", 1)],
    )


def sequence_input():
    info = helper.make_tensor_sequence_value_info("x", F32, [4])
    return model([relu()], inputs=[info])


def scatter_outside():
    return model(
        [node("ScatterND", ["x", "i", "u"], ["y"])],
        constants=[tensor("i", np.array([[5, 0]], np.int64)), tensor("u", np.ones(1, np.float32))],
    )


def folder_path(folder):
    return folder


def missing_path(folder):
    return os.path.join(folder, "none.onnx")


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)
BIG = 2**40
