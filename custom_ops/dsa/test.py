"""sonoc::DSA, against its definition.

    python custom_ops/dsa/test.py --sonoc build/release/sonoc

A model of three nodes runs through C, and, written back with the operator as functions, through ONNX Runtime. Taken apart
and raised again it is those nodes, and computes the same; what only looks like them stays as it is.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

SPEC = importlib.util.spec_from_file_location("deform", Path(__file__).parent.parent / "deform_conv/test.py")
deform = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(deform)

CHANNELS, SIZE, EPSILON, NEAR = 8, 4, 1e-5, 2e-5


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def dcn(x, offset, mask, weight):
    """A 3x3 deformable convolution that keeps the size."""
    ones = {"stride": [1, 1], "pad": [1, 1], "dilation": [1, 1], "group": 1, "offset_group": 1}
    return deform.deform_conv(x, weight, offset, mask, **ones)


def conv(x, weight, bias):
    """A 3x3 convolution: a deformable one without offsets."""
    n, _, height, width = x.shape
    return dcn(x, np.zeros((n, 18, height, width)), None, weight) + bias[:, None, None]


def norm(x, scale, bias, groups):
    """Group normalization."""
    g = x.reshape(len(x), groups, -1)
    g = (g - g.mean(-1, keepdims=True)) / np.sqrt(g.var(-1, keepdims=True) + EPSILON)
    return g.reshape(x.shape) * scale[:, None, None] + bias[:, None, None]


def stage(x, p, order, groups):
    """relu(norm(dcn(x)))."""
    offset = conv(x, p[0], p[1])
    if order == "rows_first":
        offset = np.stack([offset[:, :9], offset[:, 9:]], 2).reshape(offset.shape)
    return np.maximum(norm(dcn(x, offset, sigmoid(conv(x, p[2], p[3])), p[4]), p[5], p[6], groups), 0)


def dsa(x, p, order, groups):
    """The module; p: the operator's inputs behind x."""
    c = stage(x, p[0:7], order, groups)
    a = sigmoid(conv(c.mean(1, keepdims=True), p[7], p[8])) * c
    b = sigmoid(conv(c.max(1, keepdims=True), p[9], p[10])) * c
    return stage(np.concatenate([a, b], 1), p[11:18], order, groups)


def make_parameters(rng):
    """Weights of one module."""
    shapes = []
    for channels in (CHANNELS, 2 * CHANNELS):
        shapes += [(18, channels, 3, 3), (18,), (9, channels, 3, 3), (9,), (CHANNELS, channels, 3, 3), (CHANNELS,), (CHANNELS,)]
    shapes[7:7] = [(1, 1, 3, 3), (1,)] * 2
    return [rng.normal(scale=0.3, size=shape).astype(np.float32) for shape in shapes]


def make_model(modules):
    """Modules one after the other; the attributes tell them apart."""
    nodes, weights = [], []
    for i, (parameters, attributes) in enumerate(modules):
        names = [f"p{i}_{k}" for k in range(len(parameters))]
        weights += [numpy_helper.from_array(p, name) for p, name in zip(parameters, names)]
        nodes.append(helper.make_node("DSA", [f"x{i}"] + names, [f"x{i + 1}"], domain="sonoc", **attributes))
    shape = (1, CHANNELS, SIZE, SIZE)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x0", f"x{len(modules)}")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("sonoc", 1)], ir_version=10)


def edit(model, kind, change, which=0):
    """Change a node of some kind; return the model."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    change([node for node in copy.graph.node if node.op_type == kind][which], copy.graph)
    return copy


def set_int(name, value):
    """A change of an attribute."""
    def change(node, _):
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])
    return change


def set_input(k, name):
    """A change of an input; None: the input of the graph."""
    def change(node, graph):
        node.input[k] = name or graph.input[0].name
    return change


def read_too(node, graph):
    """One more reader of the node's output."""
    graph.node.append(helper.make_node("Relu", [node.output[0]], ["more"]))
    graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, None))


def near_misses(parts):
    """Models in which one module is almost the module."""
    mean = next(node for node in parts.graph.node if node.op_type == "ReduceMean")
    yield "another padding", edit(parts, "DeformConv", set_int("pads", [0, 0, 2, 2]))
    yield "other groups", edit(parts, "GroupNormalization", set_int("num_groups", 1))
    yield "another map is scaled", edit(parts, "Mul", lambda n, g: set_input(int("Sigmoid" in n.input[0]), None)(n, g))
    yield "two gates from one map", edit(parts, "Conv", set_input(0, mean.output[0]), 2)
    yield "the other order", edit(parts, "Concat", lambda n, g: n.input.extend([n.input.pop(0)]), 2)
    yield "the offset of another map", edit(parts, "Conv", set_input(0, None), 4)
    for kind in ("ReduceMean", "Sigmoid", "Relu", "DeformConv"):
        yield f"another reader of {kind}", edit(parts, kind, read_too)


def raised(sonoc, model, folder, *more):
    """Let sonoc look for modules in a model; return how many it finds."""
    onnx.save(model, folder / "parts.onnx")
    command = [sonoc, "opt", folder / "parts.onnx", "-o", folder / "again.onnx", f"--passes={','.join(['infer', 'raise_dsa', *more])}"]
    subprocess.run([*command, "--check-passes"] if more else command, check=True)
    return [node.op_type for node in onnx.load(folder / "again.onnx").graph.node].count("DSA")


def check_raised(sonoc, written, folder, n):
    """Put a written model's functions in their places and raise the modules again; tell what is wrong."""
    raised(sonoc, onnx.inliner.inline_local_functions(written), folder)
    parts = onnx.load(folder / "parts.onnx")
    if raised(sonoc, parts, folder) != n or raised(sonoc, parts, folder, "expand"):
        yield "what was taken apart is not raised, or not taken apart again"
    for why, missed in near_misses(parts):
        if raised(sonoc, missed, folder) != n - 1:
            yield f"{why}: {raised(sonoc, missed, folder)} raised, not {n - 1}"


def main():
    """Compare the operator with its definition."""
    parser = argparse.ArgumentParser(description="Check sonoc::DSA.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc, rng = parser.parse_args().sonoc.resolve(), np.random.default_rng(5)
    settings = [{}, {"offset_order": "pairs", "num_groups": 4}, {}]
    modules = [(make_parameters(rng), attributes) for attributes in settings]
    x = rng.normal(size=(1, CHANNELS, SIZE, SIZE)).astype(np.float32)
    want = x
    for parameters, attributes in modules:
        want = dsa(want, parameters, attributes.get("offset_order", "rows_first"), attributes.get("num_groups", CHANNELS // 4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, out = folder / "model.onnx", folder / "out.onnx"
        onnx.save(make_model(modules), model)
        np.savez(folder / "in.npz", x0=x)
        command = [sonoc, "run", model, "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", "--backend=c", "--quiet"]
        subprocess.run(command, check=True)
        subprocess.run([sonoc, "opt", model, "-o", out], check=True)
        onnx.checker.check_model(str(out), full_check=True)
        written = onnx.load(out)
        got = onnxruntime.InferenceSession(str(out)).run(None, {"x0": x})[0]
        wrong = list(check_raised(sonoc, written, folder, len(modules)))
        with np.load(folder / "out.npz") as file:
            errors = np.abs(file["x3"] - want).max(), np.abs(got - want).max()
    kinds = [node.op_type for node in written.graph.node], len(written.functions)
    print(f"errors {errors[0]:.1e} in C, {errors[1]:.1e} in ONNX Runtime; nodes {kinds[0]}, {kinds[1]} functions")
    print("\n".join(wrong), end="\n" if wrong else "")
    right = max(errors) < NEAR and kinds == (["DSA"] * 3, 2) and not wrong
    print("1 passed, 0 failed" if right else "0 passed, 1 failed")
    sys.exit(not right)


if __name__ == "__main__":
    main()
