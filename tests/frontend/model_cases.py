"""model_cases.py - functions, encodings, names and order that a file may have.

A row of CASES: name, function that writes the model into a folder and returns its path, expected
outputs.
    python3 model_cases.py SONOC
"""

import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

X = np.array([[1, -2, 3, -4]], np.float32)
F32 = TensorProto.FLOAT


def model(nodes, constants=(), functions=(), outputs=("y",), inputs=("x",), ir=10, shape=(1, 4)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, F32, shape) for n in inputs],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=list(functions))


def saved(build):
    def write(folder):
        path = os.path.join(folder, "m.onnx")
        with open(path, "wb") as f:
            f.write(build().SerializeToString())
        return path

    return write


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def function(name, inputs, outputs, nodes, attributes=(), defaults=(), overload=""):
    f = helper.make_function(
        "f",
        name,
        inputs,
        outputs,
        nodes,
        [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)],
        list(attributes),
        list(defaults),
    )
    f.overload = overload
    return f


def referring(op, inputs, outputs, kind, **references):
    n = node(op, inputs, outputs)
    for name, outer in references.items():
        n.attribute.append(AttributeProto(name=name, type=kind, ref_attr_name=outer))
    return n


def call(name, inputs, outputs, **attributes):
    overload = attributes.pop("overload", "")
    n = helper.make_node(name, inputs, outputs, domain="f", **attributes)
    n.overload = overload
    return n


def leaky(x, alpha):
    return np.where(x < 0, x * np.float32(alpha), x).astype(np.float32)


LEAK = function(
    "Leak",
    ["a"],
    ["b"],
    [referring("LeakyRelu", ["a"], ["b"], AttributeProto.FLOAT, alpha="slope")],
    ["slope"],
)
LEAK_DEFAULT = function(
    "LeakD",
    ["a"],
    ["b"],
    [referring("LeakyRelu", ["a"], ["b"], AttributeProto.FLOAT, alpha="slope")],
    [],
    [helper.make_attribute("slope", 0.25)],
)
NESTED = function(
    "Nested",
    ["a"],
    ["t"],
    [
        call("Leak", ["a"], ["t1"], slope=0.5),
        referring("Leak", ["t1"], ["t"], AttributeProto.FLOAT, slope="s"),
    ],
    ["s"],
)
NESTED.node[1].domain = "f"
OPTIONAL = function(
    "Bounded", ["a", "low", "high"], ["b"], [node("Clip", ["a", "low", "high"], ["b"])]
)
PASS = function("Pass", ["a"], ["a", "b"], [node("Neg", ["a"], ["b"])])
TWO = function("Pick", ["a"], ["b"], [node("Neg", ["a"], ["b"])], overload="neg")
TWO_ABS = function("Pick", ["a"], ["b"], [node("Abs", ["a"], ["b"])], overload="abs")
CONSTANT = function(
    "Const", [], ["c"], [referring("Constant", [], ["c"], AttributeProto.TENSOR, value="v")], ["v"]
)
UNSORTED = function("Un", ["a"], ["b"], [node("Neg", ["t"], ["b"]), node("Abs", ["a"], ["t"])])


def encoded(dtype, array_shape, to=F32, **fields):
    """y = Cast(w) with w as the fields say."""

    def build():
        w = TensorProto(name="w", dims=array_shape, data_type=dtype, **fields)
        return model([node("Cast", ["w"], ["c"], to=to), node("Add", ["x", "c"], ["y"])], [w])

    return saved(build)


def external(keys, data):
    def write(folder):
        os.makedirs(os.path.join(folder, "sub"))
        with open(os.path.join(folder, "sub", "w.bin"), "wb") as f:
            f.write(data)
        tensors = []
        for name in ("v", "w"):
            t = TensorProto(name=name, dims=[4], data_type=F32, data_location=TensorProto.EXTERNAL)
            for key, text in keys:
                t.external_data.add(key=key, value=text)
            tensors.append(t)
        return saved(
            lambda: model([node("Add", ["x", "w"], ["t"]), node("Add", ["t", "v"], ["y"])], tensors)
        )(folder)

    return write


def initializer_is_input():
    return model(
        [node("Add", ["x", "w"], ["y"])], [numpy_helper.from_array(X, "w")], inputs=("x", "w"), ir=3
    )


def constants():
    values = [
        node("Constant", [], ["a"], value_float=2.0),
        node("Constant", [], ["b"], value_floats=[1.0, 2.0, 3.0, 4.0]),
        node("Constant", [], ["i"], value_int=3),
        node("Constant", [], ["k"], value_ints=[1, 4]),
        node("Constant", [], ["t"], value=numpy_helper.from_array(np.float32(5))),
        node("Cast", ["i"], ["j"], to=F32),
    ]
    sums = [
        node("Mul", ["x", "a"], ["p"]),
        node("Add", ["p", "b"], ["q"]),
        node("Add", ["q", "j"], ["r"]),
        node("Add", ["r", "t"], ["s"]),
        node("Reshape", ["s", "k"], ["y"]),
    ]
    return model(values + sums)


def colliding_names():
    """The body's names are the caller's too."""
    body = function("Body", ["x"], ["y"], [node("Neg", ["x"], ["t"]), node("Exp", ["t"], ["y"])])
    return model(
        [node("Abs", ["x"], ["t"]), call("Body", ["t"], ["u"]), node("Add", ["t", "u"], ["y"])],
        functions=[body],
    )


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def larger_than_2_gb(folder):
    """y = x + the last four elements of 2.5 GB of zeros and W; the file is sparse."""
    size = 2_500_000_000
    small = [
        numpy_helper.from_array(np.array([size // 4 - 4 + i]), n) for i, n in ((0, "s"), (4, "e"))
    ]
    nodes = [node("Slice", ["w", "s", "e"], ["t"]), node("Add", ["x", "t"], ["y"])]
    graph = model(nodes, small).graph.SerializeToString()
    w = TensorProto(name="w", dims=[size // 4], data_type=F32).SerializeToString()
    w += varint(9 << 3 | 2) + varint(size)
    graph += varint(5 << 3 | 2) + varint(len(w) + size) + w
    rest = model([])
    rest.ClearField("graph")
    path = os.path.join(folder, "m.onnx")
    with open(path, "wb") as f:
        f.write(rest.SerializeToString() + varint(7 << 3 | 2) + varint(len(graph) + size) + graph)
        f.seek(size - 16, os.SEEK_CUR)
        f.write(ONES)
    return path


ONES = struct.pack("<4f", 1, 2, 3, 4)
W = np.array([1, 2, 3, 4], np.float32)
BITS = np.array([-1.5, 0.25, 2, -3], np.float32)

CASES = [
    (
        "function with an attribute",
        saved(lambda: model([call("Leak", ["x"], ["y"], slope=0.5)], functions=[LEAK])),
        [leaky(X, 0.5)],
    ),
    (
        "function with a default",
        saved(lambda: model([call("LeakD", ["x"], ["y"])], functions=[LEAK_DEFAULT])),
        [leaky(X, 0.25)],
    ),
    (
        "default overridden",
        saved(lambda: model([call("LeakD", ["x"], ["y"], slope=0.75)], functions=[LEAK_DEFAULT])),
        [leaky(X, 0.75)],
    ),
    (
        "absent attribute falls to the operator's default",
        saved(lambda: model([call("Leak", ["x"], ["y"])], functions=[LEAK])),
        [leaky(X, 0.01)],
    ),
    (
        "nested functions",
        saved(lambda: model([call("Nested", ["x"], ["y"], s=0.5)], functions=[NESTED, LEAK])),
        [leaky(X, 0.25)],
    ),
    (
        "absent arguments",
        saved(
            lambda: model(
                [
                    node("Constant", [], ["h"], value_float=2.0),
                    call("Bounded", ["x", "", "h"], ["y"]),
                ],
                functions=[OPTIONAL],
            )
        ),
        [np.minimum(X, 2)],
    ),
    (
        "arguments handed through",
        saved(
            lambda: model([call("Pass", ["x"], ["y", "z"])], functions=[PASS], outputs=("y", "z"))
        ),
        [X, -X],
    ),
    (
        "overloads",
        saved(
            lambda: model(
                [
                    call("Pick", ["x"], ["y"], overload="abs"),
                    call("Pick", ["x"], ["z"], overload="neg"),
                ],
                functions=[TWO, TWO_ABS],
                outputs=("y", "z"),
            )
        ),
        [np.abs(X), -X],
    ),
    (
        "function that is a constant",
        saved(
            lambda: model(
                [
                    call("Const", [], ["c"], v=numpy_helper.from_array(W)),
                    node("Add", ["x", "c"], ["y"]),
                ],
                functions=[CONSTANT],
            )
        ),
        [X + W],
    ),
    (
        "function called twice",
        saved(
            lambda: model(
                [call("Leak", ["x"], ["t"], slope=0.5), call("Leak", ["t"], ["y"], slope=0.5)],
                functions=[LEAK],
            )
        ),
        [leaky(X, 0.25)],
    ),
    (
        "nodes of a function out of order",
        saved(lambda: model([call("Un", ["x"], ["y"])], functions=[UNSORTED])),
        [-np.abs(X)],
    ),
    (
        "names of caller and function collide",
        saved(colliding_names),
        [np.abs(X) + np.exp(-np.abs(X))],
    ),
    (
        "nodes out of order",
        saved(
            lambda: model(
                [node("Neg", ["b"], ["y"]), node("Relu", ["a"], ["b"]), node("Abs", ["x"], ["a"])]
            )
        ),
        [-np.abs(X)],
    ),
    ("initializer that is an input", saved(initializer_is_input), [X + X]),
    ("all forms of Constant", saved(constants), [X * 2 + W + 3 + 5]),
    ("raw f32", encoded(F32, [4], raw_data=ONES), [X + W]),
    ("list of f32", encoded(F32, [4], float_data=W.tolist()), [X + W]),
    ("raw f64", encoded(TensorProto.DOUBLE, [4], raw_data=W.astype("<f8").tobytes()), [X + W]),
    ("list of f64", encoded(TensorProto.DOUBLE, [4], double_data=W.tolist()), [X + W]),
    ("raw i64", encoded(TensorProto.INT64, [4], raw_data=W.astype("<i8").tobytes()), [X + W]),
    (
        "list of i64",
        encoded(TensorProto.INT64, [4], int64_data=[-1, 2, 3, 4]),
        [X + np.float32([-1, 2, 3, 4])],
    ),
    (
        "list of i32",
        encoded(TensorProto.INT32, [4], int32_data=[-1, 2, 3, 4]),
        [X + np.float32([-1, 2, 3, 4])],
    ),
    (
        "list of i16",
        encoded(TensorProto.INT16, [4], int32_data=[-1, 2, 3, 4]),
        [X + np.float32([-1, 2, 3, 4])],
    ),
    (
        "list of i8",
        encoded(TensorProto.INT8, [4], int32_data=[-128, 2, 3, 127]),
        [X + np.float32([-128, 2, 3, 127])],
    ),
    (
        "list of u8",
        encoded(TensorProto.UINT8, [4], int32_data=[255, 2, 3, 4]),
        [X + np.float32([255, 2, 3, 4])],
    ),
    (
        "list of u32",
        encoded(TensorProto.UINT32, [4], uint64_data=[2**32 - 1, 2, 3, 4]),
        [X + np.float32([2**32 - 1, 2, 3, 4])],
    ),
    (
        "list of u64",
        encoded(TensorProto.UINT64, [4], uint64_data=[2**40, 2, 3, 4]),
        [X + np.float32([2**40, 2, 3, 4])],
    ),
    (
        "list of f16",
        encoded(
            TensorProto.FLOAT16, [4], int32_data=BITS.astype(np.float16).view(np.uint16).tolist()
        ),
        [X + BITS],
    ),
    (
        "raw f16",
        encoded(TensorProto.FLOAT16, [4], raw_data=BITS.astype("<f2").tobytes()),
        [X + BITS],
    ),
    (
        "list of bf16",
        encoded(TensorProto.BFLOAT16, [4], int32_data=(BITS.view(np.uint32) >> 16).tolist()),
        [X + BITS],
    ),
    (
        "raw bf16",
        encoded(
            TensorProto.BFLOAT16, [4], raw_data=(BITS.view(np.uint32) >> 16).astype("<u2").tobytes()
        ),
        [X + BITS],
    ),
    (
        "raw bools other than 1",
        encoded(TensorProto.BOOL, [4], raw_data=b"\0\1\2\xff"),
        [X + np.float32([0, 1, 1, 1])],
    ),
    (
        "list of bools",
        encoded(TensorProto.BOOL, [4], int32_data=[0, 1, 0, 1]),
        [X + np.float32([0, 1, 0, 1])],
    ),
    (
        "raw i4",
        encoded(TensorProto.INT4, [4], raw_data=b"\x7f\x98"),
        [X + np.float32([-1, 7, -8, -7])],
    ),
    (
        "raw u4",
        encoded(TensorProto.UINT4, [4], raw_data=b"\x7f\x98"),
        [X + np.float32([15, 7, 8, 9])],
    ),
    (
        "list of i4",
        encoded(TensorProto.INT4, [4], int32_data=[0x7F, 0x98]),
        [X + np.float32([-1, 7, -8, -7])],
    ),
    ("i4 of odd length", encoded(TensorProto.INT4, [1], raw_data=b"\x07"), [X + 7]),
    ("external data", external([("location", "sub/w.bin")], ONES), [X + W + W]),
    ("file larger than 2 GB", larger_than_2_gb, [X + W]),
    (
        "external data at an offset",
        external([("location", "./sub/w.bin"), ("offset", "4"), ("length", "16")], bytes(4) + ONES),
        [X + W + W],
    ),
]


def check(sonoc, write, expected):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder)
        given, got = os.path.join(folder, "in.npz"), os.path.join(folder, "out.npz")
        np.savez(given, x=X)
        ended = subprocess.run(
            [sonoc, "run", path, "--inputs", given, "--outputs", got, "--backend=interp"],
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            return f"status {ended.returncode}: {ended.stderr.strip()[-200:]}"
        result = np.load(got)
        for name, want in zip(("y", "z"), expected):
            if not np.allclose(result[name], want, rtol=1e-6, atol=0):
                return f"{name} is {result[name].tolist()}, not {want.tolist()}"
    return None


def run(sonoc):
    passed = failed = 0
    for name, write, expected in CASES:
        fault = check(sonoc, write, expected)
        if fault:
            print(f"model '{name}': {fault}")
        passed, failed = passed + (fault is None), failed + (fault is not None)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if run(sys.argv[1]) else 1)
