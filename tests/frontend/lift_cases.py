"""lift_cases.py - nodes of older operator sets, against ONNX Runtime.

A row of CASES: operator, operator set, inputs (arrays, or None), attributes, number of outputs.
The first input is fed, the others are initializers.
    python3 lift_cases.py SONOC
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

random = np.random.default_rng(7)


def f32(*shape):
    return random.standard_normal(shape).astype(np.float32)


def floats(*values):
    return np.array(values, np.float32)


def ints(*values):
    return np.array(values, np.int64)


IMAGE = f32(1, 4, 5, 6)
CUBE = f32(2, 3, 4, 5)

CASES = [
    ("Squeeze", 11, [f32(1, 3, 1, 2)], {"axes": [0, 2]}, 1),
    ("Squeeze", 11, [f32(1, 3, 1, 2)], {}, 1),
    ("Squeeze", 13, [f32(1, 3, 1, 2), ints(0)], {}, 1),
    ("Unsqueeze", 11, [f32(3, 2)], {"axes": [0, 3]}, 1),
    ("ReduceMean", 7, [CUBE], {"axes": [1, -1], "keepdims": 0}, 1),
    ("ReduceMean", 17, [CUBE], {}, 1),
    ("ReduceSum", 11, [CUBE], {"axes": [2]}, 1),
    ("ReduceMax", 13, [CUBE], {"axes": [0, 3]}, 1),
    ("ReduceMin", 11, [CUBE], {"axes": [1]}, 1),
    ("ReduceProd", 11, [CUBE], {"axes": [1]}, 1),
    ("ReduceL1", 11, [CUBE], {"axes": [1]}, 1),
    ("ReduceL2", 13, [CUBE], {"axes": [1]}, 1),
    ("ReduceLogSum", 11, [np.abs(CUBE)], {"axes": [1]}, 1),
    ("ReduceLogSumExp", 13, [CUBE], {"axes": [3]}, 1),
    ("ReduceSumSquare", 11, [CUBE], {"axes": [1]}, 1),
    ("Slice", 9, [CUBE], {"starts": [1, 0], "ends": [3, -1], "axes": [1, 3]}, 1),
    ("Slice", 9, [CUBE], {"starts": [0, 1], "ends": [2, 1000]}, 1),
    ("Pad", 10, [CUBE], {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "value": 1.5}, 1),
    ("Pad", 10, [CUBE], {"pads": [0, 0, 1, 2, 0, 0, 3, 0]}, 1),
    ("Pad", 10, [CUBE], {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "mode": "reflect"}, 1),
    ("Clip", 7, [CUBE], {"min": -0.5, "max": 0.25}, 1),
    ("Clip", 10, [CUBE], {"max": 0.25}, 1),
    ("Split", 11, [CUBE], {"axis": 3, "split": [2, 3]}, 2),
    ("Split", 11, [CUBE], {"axis": 2}, 2),
    ("Split", 13, [CUBE], {"axis": 2}, 4),
    ("TopK", 7, [CUBE], {"axis": 2, "k": 2}, 2),
    ("TopK", 10, [CUBE, ints(3)], {"axis": -1}, 2),
    ("Dropout", 7, [CUBE], {"ratio": 0.3}, 1),
    ("Dropout", 10, [CUBE], {"ratio": 0.3}, 1),
    ("Upsample", 7, [IMAGE], {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "nearest"}, 1),
    ("Upsample", 9, [IMAGE, floats(1, 1, 2, 2)], {"mode": "nearest"}, 1),
    ("Upsample", 9, [IMAGE, floats(1, 1, 2, 2)], {"mode": "linear"}, 1),
    ("Resize", 10, [IMAGE, floats(1, 1, 2, 2.5)], {"mode": "nearest"}, 1),
    ("Resize", 10, [IMAGE, floats(1, 1, 0.6, 0.6)], {"mode": "nearest"}, 1),
    ("Resize", 10, [IMAGE, floats(1, 1, 2, 2)], {"mode": "linear"}, 1),
    (
        "Resize",
        11,
        [IMAGE, floats(), floats(1, 1, 2, 2)],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        1,
    ),
    ("Resize", 11, [IMAGE, floats(), floats(), ints(1, 4, 7, 9)], {"mode": "nearest"}, 1),
    (
        "BatchNormalization",
        7,
        [IMAGE, f32(4), f32(4), f32(4), np.abs(f32(4))],
        {"epsilon": 1e-3},
        1,
    ),
    (
        "BatchNormalization",
        9,
        [IMAGE, f32(4), f32(4), f32(4), np.abs(f32(4))],
        {"momentum": 0.5},
        1,
    ),
    ("BatchNormalization", 14, [IMAGE, f32(4), f32(4), f32(4), np.abs(f32(4))], {}, 1),
    ("Softmax", 11, [CUBE], {}, 1),
    ("Softmax", 11, [CUBE], {"axis": 2}, 1),
    ("Softmax", 7, [CUBE], {"axis": 0}, 1),
    ("Softmax", 12, [CUBE], {"axis": -1}, 1),
    ("LogSoftmax", 11, [CUBE], {"axis": 2}, 1),
    ("Hardmax", 11, [CUBE], {"axis": 1}, 1),
    ("GroupNormalization", 18, [IMAGE, f32(2), f32(2)], {"num_groups": 2, "epsilon": 1e-3}, 1),
    ("GridSample", 16, [IMAGE, f32(1, 3, 3, 2)], {"mode": "bilinear", "align_corners": 1}, 1),
    ("Scatter", 9, [CUBE, ints([[[[0]]]]).reshape(1, 1, 1, 1), f32(1, 1, 1, 1)], {"axis": 2}, 1),
    ("MaxPool", 8, [IMAGE], {"kernel_shape": [2, 2], "strides": [2, 2]}, 1),
    ("AveragePool", 7, [IMAGE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 1),
    ("Gemm", 7, [f32(3, 4), f32(4, 5), f32(5)], {"alpha": 0.5}, 1),
    ("PRelu", 7, [IMAGE, f32(4, 1, 1)], {}, 1),
    ("Cast", 9, [CUBE], {"to": 7}, 1),
    ("ArgMax", 11, [CUBE], {"axis": 1}, 1),
    ("Flatten", 9, [CUBE], {"axis": 2}, 1),
    ("ConstantOfShape", 9, [ints(2, 3)], {}, 1),
    ("InstanceNormalization", 7, [IMAGE, f32(4), f32(4)], {}, 1),
    (
        "RoiAlign",
        10,
        [IMAGE, floats(0, 0, 4, 4).reshape(1, 4), ints(0)],
        {"output_height": 2, "output_width": 2},
        1,
    ),
]


def build(op, opset, arrays, attributes, n_outputs):
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(n_outputs)]
    fed = helper.make_tensor_value_info(
        "x0", helper.np_dtype_to_tensor_dtype(arrays[0].dtype), arrays[0].shape
    )
    rest = [numpy_helper.from_array(a, n) for a, n in zip(arrays[1:], names[1:]) if a is not None]
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, name="old", **attributes)],
        "g",
        [fed],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        rest,
    )
    if op == "ConstantOfShape":
        graph.initializer.append(numpy_helper.from_array(arrays[0], "x0"))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    return model


def reference(model, x, n_outputs):
    try:
        typed = onnx.shape_inference.infer_shapes(model)
        types = {v.name: v for v in list(typed.graph.value_info) + list(typed.graph.output)}
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        del copy.graph.output[:]
        copy.graph.output.extend(types[f"y{i}"] for i in range(n_outputs))
        session = onnxruntime.InferenceSession(
            copy.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {i.name: x for i in session.get_inputs()})
    except Exception as error:  # a form that ONNX Runtime does not have
        return str(error)


def check(sonoc, model, x, expected):
    with tempfile.TemporaryDirectory() as folder:
        path, given, got = (os.path.join(folder, n) for n in ("m.onnx", "in.npz", "out.npz"))
        onnx.save(model, path)
        np.savez(given, x0=x)
        command = [sonoc, "run", path, "--outputs", got, "--backend=interp"]
        if not model.graph.initializer or model.graph.initializer[0].name != "x0":
            command += ["--inputs", given]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            return f"status {ended.returncode}: {ended.stderr.strip()[-200:]}"
        result = np.load(got)
        for i, want in enumerate(expected):
            have = result[f"y{i}"]
            if have.shape != want.shape or have.dtype != want.dtype:
                return f"y{i} is {have.dtype}{list(have.shape)}, not {want.dtype}{list(want.shape)}"
            if not np.allclose(have, want, rtol=1e-5, atol=1e-5, equal_nan=True):
                return f"y{i} differs by {np.abs(have - want).max()}"
    return None


def run(sonoc):
    onnxruntime.set_default_logger_severity(4)
    passed = failed = 0
    for op, opset, arrays, attributes, n_outputs in CASES:
        model = build(op, opset, arrays, attributes, n_outputs)
        expected = reference(model, arrays[0], n_outputs)
        fault = expected if isinstance(expected, str) else check(sonoc, model, arrays[0], expected)
        if fault:
            print(f"{op} of operator set {opset} {attributes}: {fault}")
        passed, failed = passed + (fault is None), failed + (fault is not None)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if run(sys.argv[1]) else 1)
