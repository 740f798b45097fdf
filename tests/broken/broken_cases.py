"""broken_cases.py - broken and hostile model files, and what sonoc must say about each.

A row: name, function that writes the file into a folder and returns its path, exit status (or
several), fragments that the message must hold: the place (node, operator, attribute, tensor) and
the reason; then arguments of the command, if any.  CASES are what reading must find, INFERENCE_CASES what shape inference must find.
"""

import numpy as np
from onnx import TensorProto, helper

from broken_parts import *

CASES = [
    # not a model at all
    ("missing file", missing_path, 3, ["none.onnx", "No such file"]),
    ("folder", folder_path, 3, ["is a directory"]),
    ("empty file", file(b""), 3, ["the file is empty"]),
    ("text", file(b"just some words\n" * 20), 3, ["not an ONNX model", "a text"]),
    ("png", file(PNG), 3, ["not an ONNX model", "PNG"]),
    ("zip", file(b"PK\x03\x04" + bytes(60)), 3, ["not an ONNX model", "zip"]),
    ("git lfs pointer", file(b"version https://git-lfs.github.com/spec/v1\n"), 3, ["Git LFS"]),
    ("zeros", file(bytes(1000)), 3, ["damaged at byte 0"]),
    ("random bytes", file(bytes(range(255, 0, -1)) * 4), 3, ["damaged at byte"]),
    (
        "tensor, not a model",
        file(lambda: tensor("w", np.ones(4, np.float32)).SerializeToString()),
        3,
        ["model.onnx:"],
    ),
    ("no graph", file(HEAD), 3, ["has no graph"]),
    ("no ir version", file(block(8, number(2, 17)) + block(7, b"")), 3, ["no ir_version"]),
    # the wire format
    ("cut at half", file(cut(0.5)), 3, ["damaged at byte", "longer than what is left"]),
    ("cut near the end", file(cut(0.95)), 3, ["damaged at byte"]),
    ("cut by one byte", file(lambda: good_bytes()[:-1]), 3, ["damaged at byte"]),
    (
        "length of 2^63",
        file(HEAD + b"\x3a" + varint(2**63)),
        3,
        ["graph", "longer than what is left"],
    ),
    ("endless varint", file(HEAD + b"\x3a" + b"\xff" * 12), 3, ["a length is cut off"]),
    ("field number 0", file(HEAD + b"\x02\x00"), 3, ["no field has such a number"]),
    ("group wire type", file(HEAD + b"\x0b\x0c"), 3, ["no such kind of field"]),
    ("graph as a number", file(HEAD + number(7, 5)), 3, ["ModelProto.graph", "another kind"]),
    ("two graphs", file(HEAD + block(7, b"") * 2), 3, ["graph", "given twice"]),
    (
        "zero byte in a name",
        file(HEAD + block(7, block(1, block(3, b"a\0b")))),
        3,
        ["node.name", "zero byte"],
    ),
    ("3000 subgraphs deep", file(lambda: nested(3000)), 4, ["64 levels of nesting"]),
    ("100000 types deep", file(lambda: nested_types(3000)), 4, ["64 levels of nesting"]),
    ("5 million empty nodes", file(lambda: empty_nodes(5_000_000)), 4, ["1000000 nodes"]),
    (
        "4 million empty dimensions",
        file(lambda: empty_dimensions(4_000_000)),
        4,
        ["bytes of unpacked messages"],
    ),
    (
        "2 million empty attributes",
        file(lambda: empty_attributes(2_000_000)),
        (3, 4),
        ["model.onnx:"],
    ),
    (
        "packed list cut off",
        with_tensor(raw_tensor(dims=(4,)) + block(4, bytes(15))),
        3,
        ["float_data", "a list of numbers is cut off"],
    ),
    # versions
    ("ir version 2", file(lambda: model([relu()], ir=2)), 3, ["IR version 2"]),
    ("ir version 99", file(lambda: model([relu()], ir=99)), 3, ["IR version 99"]),
    ("opset 6", file(lambda: model([relu()], opset=6)), 3, ["operator set 6"]),
    ("opset 9999", file(lambda: model([relu()], opset=9999)), 3, ["operator set 9999"]),
    ("opset -1", file(lambda: model([relu()], opset=-1)), 3, ["operator set -1"]),
    ("no opset", file(number(1, 8) + block(7, b"")), 3, ["imports no operator set"]),
    (
        "no standard opset",
        file(lambda: model([relu("bad")], opsets=[helper.make_opsetid("com.acme", 1)])),
        3,
        ["'bad' (Relu)", "no version"],
    ),
    # names
    (
        "input from nowhere",
        file(lambda: model([node("Relu", ["nope"], ["y"])])),
        3,
        ["node 0 'bad' (Relu)", "'nope'", "nothing in the model produces"],
    ),
    (
        "cycle of two",
        file(
            lambda: model(
                [
                    node("Add", ["x", "b"], ["a"], "first"),
                    node("Relu", ["a"], ["b"], "second"),
                    relu("third", "a", "y"),
                ]
            )
        ),
        3,
        ["cycle", "'first'", "'second'"],
    ),
    (
        "node feeds itself",
        file(lambda: model([node("Add", ["x", "y"], ["y"])])),
        3,
        ["'bad' (Add)", "cycle"],
    ),
    (
        "output name twice",
        file(lambda: model([relu(), node("Sigmoid", ["x"], ["y"])])),
        3,
        ["node 1 'bad' (Sigmoid)", "'y'", "given twice"],
    ),
    (
        "output name twice in a node",
        one("Split", ("x",), ("y", "y"), num_outputs=2, opset=18),
        3,
        ["'bad' (Split)", "'y'"],
    ),
    (
        "output named as an input",
        file(lambda: model([relu("bad", "x", "x")])),
        3,
        ["'bad' (Relu)", "'x'", "an input"],
    ),
    (
        "output named as an initializer",
        file(lambda: model([relu("bad", "x", "w")], constants=[ints("w", 1)])),
        3,
        ["'bad' (Relu)", "'w'", "an initializer"],
    ),
    (
        "two inputs of one name",
        file(lambda: model([relu()], inputs=[value("x"), value("x")])),
        3,
        ["'x'", "given twice"],
    ),
    (
        "two initializers of one name",
        file(lambda: model([relu()], constants=[ints("w", 1), ints("w", 2)])),
        3,
        ["'w'", "given twice"],
    ),
    (
        "graph output from nowhere",
        file(lambda: model([relu()], outputs=[value("z")])),
        3,
        ["output 'z'"],
    ),
    (
        "graph output twice",
        file(lambda: model([relu()], outputs=[value("y"), value("y")])),
        3,
        ["'y'", "given twice"],
    ),
    ("no outputs", file(lambda: model([relu()], outputs=[])), 3, ["no outputs"]),
    (
        "input without a name",
        file(lambda: model([relu()], inputs=[value("x"), value("")])),
        3,
        ["without a name"],
    ),
    (
        "node without an operator",
        file(lambda: model([node("", ["x"], ["y"])])),
        3,
        ["'bad'", "operator"],
    ),
    # types and dimensions of inputs
    (
        "negative dimension",
        file(lambda: model([relu()], inputs=[value("x", (1, -3))])),
        3,
        ["'x'", "-3"],
    ),
    (
        "dimensions wrap 2^64",
        file(lambda: model([relu()], inputs=[value("x", (2**33, 2**31))])),
        3,
        ["'x'", "too large"],
    ),
    (
        "13 dimensions",
        file(lambda: model([relu()], inputs=[value("x", (1,) * 13)])),
        3,
        ["'x'", "13 dimensions"],
    ),
    (
        "unnamed dimension",
        file(lambda: model([relu()], inputs=[value("x", (1, None))])),
        3,
        ["--dim x.1=N"],
    ),
    (
        "symbolic height",
        file(lambda: model([relu()], inputs=[value("x", ("n", 3, "h", "w"))])),
        3,
        ["'h'", "--dim h=N", "--dim w=N"],
    ),
    (
        "size for a symbol that is none",
        file(lambda: model([relu()], inputs=[value("x", ("n", 4))])),
        3,
        ["--dim m=2", "there is: n"],
        "--dim=m=2",
    ),
    (
        "more nodes than allowed",
        file(lambda: model([relu("a", "x", "t"), relu("b", "t", "y")])),
        4,
        ["the limit of 1 nodes", "--max-nodes=N"],
        "--max-nodes=1",
    ),
    (
        "more constants than allowed",
        file(lambda: model([relu()], constants=[ints("w", 1, 2, 3)])),
        4,
        ["the limit of 16 bytes of constants", "--max-tensor-bytes=N"],
        "--max-tensor-bytes=16",
    ),
    ("sequence input", file(sequence_input), 3, ["'x'", "only tensors"]),
    (
        "complex input",
        file(lambda: model([relu()], inputs=[value("x", (4,), TensorProto.COMPLEX64)])),
        3,
        ["'x'", "COMPLEX64"],
    ),
    (
        "input without a shape",
        file(lambda: model([relu()], inputs=[value("x", None)])),
        3,
        ["'x'", "no shape"],
    ),
    # tensors
    ("data twice", file(dual_data), 3, ["'w'", "twice", "raw_data", "float_data"]),
    (
        "raw data too short",
        with_tensor(raw_tensor(dims=(4,)) + block(9, bytes(12))),
        3,
        ["'w'", "12 bytes", "16"],
    ),
    (
        "raw data too long",
        with_tensor(raw_tensor(dims=(4,)) + block(9, bytes(20))),
        3,
        ["'w'", "20 bytes", "16"],
    ),
    ("no data", with_tensor(raw_tensor(dims=(4,))), 3, ["'w'", "0 elements"]),
    (
        "wrong list",
        with_tensor(raw_tensor(dims=(2,)) + block(7, b"\1\2")),
        3,
        ["'w'", "int64_data", "float_data"],
    ),
    (
        "negative tensor dimension",
        with_tensor(raw_tensor(dims=(-4,)) + block(9, bytes(16))),
        3,
        ["'w'", "-4"],
    ),
    (
        "tensor dimensions wrap",
        with_tensor(raw_tensor(dims=(2**32, 2**32)) + block(9, b"")),
        3,
        ["'w'", "too large"],
    ),
    ("huge tensor, no data", with_tensor(raw_tensor(dims=(2**50,))), 3, ["'w'", "0 elements"]),
    (
        "float8 tensor",
        with_tensor(raw_tensor(dims=(4,), dtype=17) + block(9, bytes(4))),
        3,
        ["'w'", "FLOAT8E4M3FN"],
    ),
    (
        "type 999",
        with_tensor(raw_tensor(dims=(4,), dtype=999) + block(9, bytes(4))),
        3,
        ["'w'", "999"],
    ),
    (
        "byte out of range",
        with_tensor(raw_tensor(dims=(1,), dtype=2) + block(5, varint(300))),
        3,
        ["'w'", "300"],
    ),
    (
        "strings as raw data",
        with_tensor(raw_tensor(dims=(1,), dtype=8) + block(9, b"abc")),
        3,
        ["'w'", "strings"],
    ),
    (
        "initializer without a name",
        with_tensor(raw_tensor(name=b"", dims=(1,)) + block(9, bytes(4))),
        3,
        ["an initializer without a name"],
    ),
    ("sparse initializer", file(sparse), 3, ["sparse"]),
    # external data
    ("external ../", external("../secret.bin"), 3, ["'w'", "'../secret.bin'", "leave"]),
    ("external a/../../", external("sub/../../secret.bin"), 3, ["'w'", "leave"]),
    ("external ..", external(".."), 3, ["'w'", "leave"]),
    (
        "external absolute",
        external(lambda folder: os.path.join(folder, "inside", "w.bin")),
        3,
        ["'w'", "absolute"],
    ),
    ("external /etc/passwd", external("/etc/passwd"), 3, ["'w'", "absolute"]),
    ("external backslash", external("..\\secret.bin"), 3, ["'w'", "backslash"]),
    (
        "external symbolic link",
        external("link.bin", prepare=link_file),
        3,
        ["'w'", "symbolic link"],
    ),
    (
        "external linked folder",
        external("up/secret.bin", prepare=link_folder),
        3,
        ["'w'", "symbolic link"],
    ),
    ("external folder", external("sub"), 3, ["'w'", "directory"]),
    ("external pipe", external("pipe.bin", prepare=fifo), 3, ["'w'", "not a regular file"]),
    ("external missing", external("none.bin"), 3, ["'w'", "'none.bin'", "No such file"]),
    ("external empty location", external(""), 3, ["'w'", "location is empty"]),
    ("external without location", external(None), 3, ["'w'", "no location"]),
    ("external too short", external("w.bin", data=12), 3, ["'w'", "12 bytes", "16"]),
    ("external offset beyond the end", external("w.bin", [("offset", "100")]), 3, ["'w'", "100"]),
    (
        "external negative offset",
        external("w.bin", [("offset", "-4")]),
        3,
        ["'w'", "offset is no size"],
    ),
    ("external huge length", external("w.bin", [("length", str(2**62))]), 3, ["'w'", "length is"]),
    (
        "external offset of 30 digits",
        external("w.bin", [("offset", "9" * 30)]),
        3,
        ["'w'", "offset is no size"],
    ),
    (
        "external length beyond the file",
        external("w.bin", [("offset", "8"), ("length", "16")]),
        3,
        ["'w'", "16 bytes"],
    ),
    (
        "external location twice",
        external("w.bin", [("location", "../secret.bin")]),
        3,
        ["'w'", "twice"],
    ),
    # attributes, operators, counts
    ("unknown operators", file(many_unknown), 3, ["3  com.acme::Frobnicate", "'n0'", "1  Quux"]),
    (
        "unknown attribute",
        one("Relu", slope=0.5),
        3,
        ["node 0 'bad' (Relu)", "slope", "no such attribute"],
    ),
    (
        "attribute of the wrong kind",
        one("LeakyRelu", alpha="much"),
        3,
        ["'bad' (LeakyRelu)", "alpha", "a string", "a float"],
    ),
    (
        "old attribute of the wrong kind",
        one("Squeeze", opset=11, axes=1.5),
        3,
        ["'bad' (Squeeze)", "axes", "a float"],
    ),
    ("attribute of two kinds", file(two_kinds), 3, ["'bad' (LeakyRelu)", "alpha"]),
    ("attribute without a value", file(typeless), 3, ["'bad' (LeakyRelu)", "alpha"]),
    (
        "1001 attributes",
        file(lambda: model([node("Relu", ["x"], ["y"], **{f"a{i}": 1 for i in range(1001)})])),
        4,
        ["'bad' (Relu)", "the limit of 1000 attributes of a node"],
    ),
    ("attribute twice", file(lambda: twice("alpha")), 3, ["'bad' (LeakyRelu)", "alpha", "twice"]),
    (
        "attribute without a name",
        file(lambda: twice("")),
        3,
        ["'bad' (LeakyRelu)", "without a name"],
    ),
    (
        "reference outside of a function",
        file(stray_reference),
        3,
        ["'bad' (LeakyRelu)", "alpha", "outside"],
    ),
    ("too few inputs", one("Add"), 3, ["'bad' (Add)", "has 1 inputs, takes 2 to 2"]),
    ("too many inputs", one("Relu", ("x", "x")), 3, ["'bad' (Relu)", "has 2 inputs, takes 1 to 1"]),
    ("needed input absent", one("Add", ("", "x")), 3, ["'bad' (Add)", "input 0"]),
    ("too many outputs", one("Relu", ("x",), ("y", "z")), 3, ["'bad' (Relu)", "has 2 outputs"]),
    ("constant without a value", one("Constant", ()), 3, ["'bad' (Constant)"]),
    (
        "constant with two values",
        one("Constant", (), value_int=1, value_float=2.0),
        3,
        ["'bad' (Constant)"],
    ),
    (
        "old normalization over positions",
        one(
            "BatchNormalization",
            ("x", "s", "s", "s", "s"),
            opset=7,
            spatial=0,
            constants=[tensor("s", np.ones(4, np.float32))],
        ),
        3,
        ["'bad' (BatchNormalization)", "spatial"],
    ),
    (
        "fault in a subgraph",
        file(bad_subgraph),
        3,
        ["then_branch of node 0 'bad'", "'inner' (Relu)", "'nowhere'"],
    ),
    # functions
    (
        "functions doubling 22 times",
        file(lambda: doubling(22)),
        4,
        ["250000 nodes after functions are inlined"],
    ),
    (
        "functions doubling 60 times",
        file(lambda: doubling(60)),
        4,
        ["250000 nodes after functions are inlined"],
    ),
    ("3000 functions deep", file(lambda: chain(3000)), 4, ["256 levels of function calls"]),
    (
        "3000 functions deep, called from the bottom up",
        file(lambda: hidden_chain(3000)),
        4,
        ["256 levels of function calls"],
    ),
    ("graph as a default", file(default_graph), 3, ["function 'f'", "a graph as the default"]),
    (
        "function calls itself",
        file(lambda: recursion("f", "f")),
        3,
        ["function 'f'", "calls itself"],
    ),
    ("functions call each other", file(lambda: recursion("f", "g")), 3, ["calls itself"]),
    (
        "function twice",
        file(
            lambda: with_functions(
                [function("f", ["a"], ["b"], [relu("", "a", "b")])] * 2, [call("f", ["x"], ["y"])]
            )
        ),
        3,
        ["function 'f'", "twice"],
    ),
    (
        "function without its output",
        file(
            lambda: with_functions(
                [function("f", ["a"], ["nope"], [relu("", "a", "b")])],
                [call("f", ["x"], ["y"], "bad")],
            )
        ),
        3,
        ["'bad' (f)", "function 'f'", "'nope'"],
    ),
    (
        "too many arguments",
        file(
            lambda: with_functions(
                [function("f", ["a"], ["b"], [relu("", "a", "b")])],
                [call("f", ["x", "x"], ["y"], "bad")],
            )
        ),
        3,
        ["'bad' (f)", "has 2 inputs"],
    ),
    (
        "attribute that the function lacks",
        file(
            lambda: with_functions(
                [function("f", ["a"], ["b"], [relu("", "a", "b")])],
                [call("f", ["x"], ["y"], "bad", k=1)],
            )
        ),
        3,
        ["'bad' (f)", "k", "no such attribute"],
    ),
    (
        "fault inside a function",
        file(
            lambda: with_functions(
                [function("f", ["a"], ["b"], [node("Relu", ["q"], ["b"], "inner")])],
                [call("f", ["x"], ["y"], "bad")],
            )
        ),
        3,
        ["function f", "inner", "'q'"],
    ),
    ("reference to no attribute", file(bad_reference), 3, ["function f", "alpha", "'nope'"]),
]

# What shape inference must find.
INFERENCE_CASES = [
    (
        "huge pad",
        one("Pad", ("x", "p"), constants=[ints("p", 0, BIG, 0, BIG)]),
        (3, 4),
        ["'bad' (Pad)"],
    ),
    (
        "pad beyond 2^63",
        one("Pad", ("x", "p"), constants=[ints("p", 0, 2**63 - 1, 0, 2**63 - 1)]),
        (3, 4),
        ["'bad' (Pad)"],
    ),
    (
        "huge tile",
        one("Tile", ("x", "r"), constants=[ints("r", BIG, BIG)]),
        (3, 4),
        ["'bad' (Tile)"],
    ),
    (
        "huge expand",
        one("Expand", ("x", "s"), constants=[ints("s", BIG, BIG, 1, 4)]),
        (3, 4),
        ["'bad' (Expand)"],
    ),
    ("negative tile", one("Tile", ("x", "r"), constants=[ints("r", 1, -2)]), 3, ["'bad' (Tile)"]),
    (
        "huge resize",
        one("Resize", ("x", "", "", "s"), constants=[ints("s", BIG, BIG)]),
        (3, 4),
        ["'bad' (Resize)"],
    ),
    (
        "resize by NaN",
        one("Resize", ("x", "", "s"), constants=[tensor("s", np.array([1, np.nan], np.float32))]),
        3,
        ["'bad' (Resize)"],
    ),
    (
        "huge constant of shape",
        one("ConstantOfShape", ("s",), constants=[ints("s", BIG, BIG)]),
        (3, 4),
        ["'bad' (ConstantOfShape)"],
    ),
    (
        "huge range",
        one(
            "Range",
            ("a", "b", "c"),
            constants=[
                tensor("a", np.int64(0)),
                tensor("b", np.int64(2**62)),
                tensor("c", np.int64(1)),
            ],
        ),
        (3, 4),
        ["'bad' (Range)"],
    ),
    (
        "range by 0",
        one(
            "Range",
            ("a", "b", "c"),
            constants=[
                tensor("a", np.int64(0)),
                tensor("b", np.int64(9)),
                tensor("c", np.int64(0)),
            ],
        ),
        3,
        ["'bad' (Range)"],
    ),
    (
        "gather out of range",
        one("Gather", ("x", "i"), constants=[ints("i", 4)], axis=1),
        3,
        ["'bad' (Gather)"],
    ),
    (
        "gather axis out of range",
        one("Gather", ("x", "i"), constants=[ints("i", 0)], axis=7),
        3,
        ["'bad' (Gather)", "axis"],
    ),
    (
        "gather elements out of range",
        one(
            "GatherElements",
            ("x", "i"),
            constants=[tensor("i", np.array([[-5]], np.int64))],
            axis=1,
        ),
        3,
        ["'bad' (GatherElements)"],
    ),
    (
        "gather nd out of range",
        one("GatherND", ("x", "i"), constants=[tensor("i", np.array([[0, 9]], np.int64))]),
        3,
        ["'bad' (GatherND)"],
    ),
    ("scatter nd out of range", file(scatter_outside), 3, ["'bad' (ScatterND)"]),
    (
        "reshape to another size",
        one("Reshape", ("x", "s"), constants=[ints("s", 3, 3)]),
        3,
        ["'bad' (Reshape)"],
    ),
    (
        "reshape with two -1",
        one("Reshape", ("x", "s"), constants=[ints("s", -1, -1)]),
        3,
        ["'bad' (Reshape)"],
    ),
    (
        "concat of different shapes",
        one("Concat", ("x", "w"), constants=[tensor("w", np.ones((2, 3), np.float32))], axis=1),
        3,
        ["'bad' (Concat)"],
    ),
    (
        "transpose by no permutation",
        one("Transpose", perm=[0, 0]),
        3,
        ["'bad' (Transpose)", "perm"],
    ),
    (
        "add of shapes that do not fit",
        one("Add", ("x", "w"), constants=[tensor("w", np.ones(3, np.float32))]),
        3,
        ["'bad' (Add)"],
    ),
    ("add of two types", one("Add", ("x", "w"), constants=[ints("w", 1)]), 3, ["'bad' (Add)"]),
    ("cast to type 999", one("Cast", to=999), 3, ["'bad' (Cast)", "to"]),
    (
        "matmul of shapes that do not fit",
        one("MatMul", ("x", "w"), constants=[tensor("w", np.ones((3, 2), np.float32))]),
        3,
        ["'bad' (MatMul)"],
    ),
    (
        "conv channels",
        one(
            "Conv",
            ("x", "w"),
            graph_inputs=[value("x", (1, 4, 8, 8))],
            constants=[tensor("w", np.ones((2, 3, 3, 3), np.float32))],
        ),
        3,
        ["'bad' (Conv)"],
    ),
    (
        "conv kernel larger than its input",
        one(
            "Conv",
            ("x", "w"),
            graph_inputs=[value("x", (1, 1, 2, 2))],
            constants=[tensor("w", np.ones((1, 1, 3, 3), np.float32))],
        ),
        3,
        ["'bad' (Conv)"],
    ),
    (
        "conv with stride 0",
        one(
            "Conv",
            ("x", "w"),
            graph_inputs=[value("x", (1, 1, 8, 8))],
            strides=[0, 0],
            constants=[tensor("w", np.ones((1, 1, 3, 3), np.float32))],
        ),
        3,
        ["'bad' (Conv)", "strides"],
    ),
    (
        "conv group 0",
        one(
            "Conv",
            ("x", "w"),
            graph_inputs=[value("x", (1, 1, 8, 8))],
            group=0,
            constants=[tensor("w", np.ones((1, 1, 3, 3), np.float32))],
        ),
        3,
        ["'bad' (Conv)", "group"],
    ),
    (
        "conv with huge pads",
        one(
            "Conv",
            ("x", "w"),
            graph_inputs=[value("x", (1, 1, 8, 8))],
            pads=[2**61] * 4,
            constants=[tensor("w", np.ones((1, 1, 3, 3), np.float32))],
        ),
        (3, 4),
        ["'bad' (Conv)"],
    ),
    (
        "pool with kernel 0",
        one("MaxPool", graph_inputs=[value("x", (1, 1, 8, 8))], kernel_shape=[0, 0]),
        3,
        ["'bad' (MaxPool)"],
    ),
    (
        "pool with kernel of rank 3",
        one("MaxPool", graph_inputs=[value("x", (1, 1, 8, 8))], kernel_shape=[2, 2, 2]),
        3,
        ["'bad' (MaxPool)"],
    ),
    (
        "shape that depends on data",
        file(lambda: model([node("NonZero", ["x"], ["y"])])),
        3,
        ["'bad' (NonZero)"],
    ),
]
