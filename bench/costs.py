"""Measures what work costs on this machine, and prints the rows of ir/costs.def.

    python bench/costs.py [--sonoc PATH] [--target x86-64-v3] [--backend jit] [--runs 7] [--table]

One model holds operators of many sizes, between depthwise convolutions so that maps lie as in a network. It runs once
for each variant; a kernel's time is the least processor time of its runs, its effort what `sonoc compile --report --json` counts.
The costs are those, none negative, that give the least squares of relative errors. Of rows that nothing here needs the
old figure stays. --table prints each kernel's time beside the estimate, and what the choice by estimate loses.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r'^COST\( (\w+),(\s+)([\d.]+),(\s+)(".*") \)$', re.M)

CONVS = [  # channels, outputs, size, kernel, stride
    (3, 64, 224, 7, 2), (3, 32, 224, 3, 2), (8, 2, 128, 3, 1), (16, 96, 112, 1, 1), (24, 144, 56, 1, 1),
    (32, 32, 56, 3, 1), (64, 64, 64, 3, 1), (64, 64, 128, 3, 1), (64, 128, 56, 3, 2),
    (64, 128, 128, 3, 1), (128, 128, 32, 3, 1), (128, 128, 64, 3, 1), (128, 128, 28, 3, 1), (128, 144, 32, 3, 1),
    (128, 256, 28, 1, 2), (144, 32, 28, 1, 1), (192, 64, 14, 1, 1), (256, 256, 14, 3, 1), (256, 256, 16, 3, 1),
    (256, 256, 32, 3, 1), (256, 512, 14, 3, 2), (384, 96, 14, 1, 1), (512, 256, 16, 3, 1), (512, 512, 7, 3, 1),
    (512, 512, 8, 3, 1), (512, 512, 16, 3, 1), (960, 320, 7, 1, 1), (64, 32, 112, 3, 1),
    (256, 64, 32, 1, 1), (512, 486, 16, 1, 1), (512, 128, 16, 1, 1), (128, 1, 128, 1, 1), (320, 1280, 7, 1, 1),
]
UPSAMPLED = [(128, 128, 64), (64, 64, 64), (64, 32, 128)]  # channels, outputs, size before
DEPTHWISE = [(32, 112), (144, 56), (192, 28), (384, 14), (960, 7)]
PRODUCTS = [(1, 512, 1000), (1, 1280, 1000), (64, 64, 64), (196, 768, 768), (512, 512, 512), (50, 64, 50)]


class Model:
    """A graph that grows operator by operator."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.weights = [], [], [], []
        self.rng = np.random.default_rng(1)

    def weight(self, *shape):
        """A constant of seeded normal numbers; its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(self.rng.standard_normal(shape).astype(np.float32) / 8, name))
        return name

    def add(self, name, op, x, w, **attributes):
        """A node with constant weights; its output."""
        self.nodes.append(helper.make_node(op, [x, w], [name + "_y"], name=name, **attributes))
        return name + "_y"

    def conv(self, name, x, channels, outputs, kernel, stride=1, group=1):
        """A convolution with the usual padding."""
        w = self.weight(outputs, channels // group, kernel, kernel)
        return self.add(name, "Conv", x, w, group=group, strides=[stride] * 2, pads=[kernel // 2] * 4)

    def given(self, name, *shape):
        """An input of the model."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def give(self, y):
        """An output of the model."""
        self.outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, None))

    def save(self, path):
        """Write it as ONNX."""
        graph = helper.make_graph(self.nodes, "costs", self.inputs, self.outputs, self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def make_model(path):
    """Every operator by itself, between two depthwise convolutions if it is one."""
    m = Model()
    for i, (channels, outputs, size, kernel, stride) in enumerate(CONVS):
        x = m.conv(f"before{i}", m.given(f"x{i}", 1, channels, size, size), channels, channels, 3, group=channels)
        y = m.conv(f"conv{i}", x, channels, outputs, kernel, stride)
        m.give(m.conv(f"after{i}", y, outputs, outputs, 3, group=outputs) if outputs > 1 else y)
    for i, (channels, outputs, size) in enumerate(UPSAMPLED):
        x = m.conv(f"below{i}", m.given(f"u{i}", 1, channels, size, size), channels, channels, 3, group=channels)
        m.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), f"scales{i}"))
        m.nodes.append(helper.make_node("Resize", [x, "", f"scales{i}"], [f"up{i}"], mode="linear",
                                        coordinate_transformation_mode="align_corners"))
        y = m.conv(f"upsampled{i}", f"up{i}", channels, outputs, 3)
        m.give(m.conv(f"above{i}", y, outputs, outputs, 3, group=outputs))
    for i, (channels, size) in enumerate(DEPTHWISE):
        x = m.conv(f"first{i}", m.given(f"d{i}", 1, channels, size, size), channels, channels, 3, group=channels)
        x = m.conv(f"depthwise{i}", x, channels, channels, 3, group=channels)
        m.give(m.conv(f"last{i}", x, channels, channels, 3, group=channels))
    for i, (rows, inner, columns) in enumerate(PRODUCTS):
        m.give(m.add(f"matmul{i}", "MatMul", m.given(f"m{i}", rows, inner), m.weight(inner, columns)))
    m.save(path)


def sonoc(arguments, *words, status=0):
    """Run it; return what it prints and says."""
    done = subprocess.run([arguments.sonoc, *words, "-O2", f"--target={arguments.target}", "--quiet"],
                          capture_output=True, text=True)
    if done.returncode not in (0, status):
        raise SystemExit(done.stderr)
    return done.stdout, done.stderr


def report(arguments, model, choices=None, status=0):
    """The kernels of the compiled model by name; what was refused."""
    source = model.with_suffix(".c")
    words = [f"--choices={choices}"] if choices else []
    printed, said = sonoc(arguments, "compile", str(model), "-o", str(source), "--weights=file", "--json", *words,
                          status=status)
    return {k["name"]: k for k in json.loads(printed)["kernels"]} if printed else {}, said


def possible_choices(arguments, model, variant, nodes, path):
    """Write a file that asks for the variant wherever it is possible; return the nodes for which it is."""
    def write(lines):
        path.write_text("\n".join([f"target {arguments.target}", *(f"{node}: {variant}" for node in lines)]) + "\n")

    write(nodes)
    _, said = report(arguments, model, path, status=3)
    refused = {int(number) - 2 for number in re.findall(r": line (\d+): ", said)}
    kept = [node for i, node in enumerate(nodes) if i not in refused]
    write(kept)
    return kept


def measure(arguments, model, folder):
    """Yield (node, variant, effort, ms) of every kernel in every variant."""
    default, _ = report(arguments, model)
    tested = {k["node"] for name, k in default.items() if re.match("conv|upsampled|depthwise|matmul", name) and "node" in k}
    table = (ROOT / "ir/variants.def").read_text()
    seen = set()
    for variant in dict.fromkeys(re.findall(r'^VARIANT\( \w+, +\w+, +"([\w-]+)"', table, re.M)):
        ops = set(re.findall(rf'^VARIANT\( (\w+), +\w+, +"{variant}"', table, re.M))
        nodes = [node for node in sorted(tested) if node.partition("(")[0] in ops]
        path = folder / f"{variant}.choices"
        if not nodes or not possible_choices(arguments, model, variant, nodes, path):
            continue
        kernels, _ = report(arguments, model, path)
        printed, _ = sonoc(arguments, "bench", str(model), f"--choices={path}", f"--backend={arguments.backend}",
                           f"--runs={arguments.runs}", "--warmup=1", "--json")
        for timed in json.loads(printed)["kernels"]:
            k = kernels[timed["name"]]
            if k.get("variant") == variant and k["node"] in nodes and (k["node"], variant) not in seen:
                seen.add((k["node"], variant))
                yield k["node"], variant, k["effort"], timed["processor_ms"]


def least_squares(a, b, rounds=20000):
    """Non-negative x with the least |a x - b|, coordinate by coordinate."""
    x, products, right = np.ones(a.shape[1]), a.T @ a, a.T @ b
    for _ in range(rounds):
        for i in range(len(x)):
            x[i] = max(0.0, x[i] + (right[i] - products[i] @ x) / products[i, i])
    return x


def fit(measured, rows):
    """The cost of each row in nanoseconds that explains the times; of rows that are not used, None."""
    used = [r for r in rows if any(effort[r] for _, _, effort, _ in measured)]
    a = np.array([[effort[r] / (1e6 * ms) for r in used] for _, _, effort, ms in measured])
    scale = np.linalg.norm(a, axis=0)
    x = least_squares(a / scale, np.ones(len(a))) / scale
    return dict(zip(used, x))


def print_table(measured, costs):
    """Times, estimates, and what the choice by estimate loses against the best."""
    by_node = {}
    for node, variant, effort, ms in measured:
        estimate = 1e-6 * sum(costs.get(r, 0) * n for r, n in effort.items())
        by_node.setdefault(node, []).append((variant, ms, estimate))
    lost = 0
    for node, rows in by_node.items():
        best, chosen = min(rows, key=lambda r: r[1]), min(rows, key=lambda r: r[2])
        lost += chosen[1] - best[1]
        told = ", ".join(f"{v} {ms:.3f} ({estimate:.3f})" for v, ms, estimate in rows)
        print(f"{node}: {told}" + (f"; takes {chosen[0]}" if chosen != best else ""))
    print(f"milliseconds (estimates in brackets); the choices lose {lost:.3f} of "
          f"{sum(min(r[1] for r in rows) for rows in by_node.values()):.3f}")


def main():
    """Measure, fit, print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--target", default="x86-64-v3")
    parser.add_argument("--backend", default="jit")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "costs.onnx"
        make_model(model)
        measured = list(measure(arguments, model, Path(name)))
    table = (ROOT / "ir/costs.def").read_text()
    old = {row[1]: float(row[3]) for row in ROW.finditer(table)}
    costs = old | fit(measured, list(old))
    if arguments.table:
        print_table(measured, costs)
    for row in ROW.finditer(table):
        figure = f"{costs[row[1]]:.4g},"
        print(f"COST( {row[1] + ',':<12} {figure:<8} {row[5]} )")


if __name__ == "__main__":
    main()
