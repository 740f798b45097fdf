"""The micro-kernel's share of the peak: a matrix product and a convolution through sonoc's C, against peak.c.

    python bench/gemm.py [--sonoc PATH] [--target x86-64-v3] [--compilers "gcc -O3,clang-19 -O3"] [--rounds 100]

The models are ONNX files with one node and constant weights. A time is that of a whole run, the copies at its borders
included, on the processor; the shortest counts. The peak is measured before and after, and the larger counts. One
thread, one core. Multiply-adds are those of the definition: Winograd's algorithm, which takes the first convolution,
does fewer, and may be above the peak; a dilated one is done directly.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from bench import peak_of_core
from contestants import SonocC
from onnx import TensorProto, helper, numpy_helper

MODELS = [  # name, operator, attributes, shapes of input, weights and output, multiply-adds
    ("MatMul 768x768x768", "MatMul", {}, (768, 768), (768, 768), (768, 768), 768**3),
    ("Conv 3x3, 128 to 128, 64x64", "Conv", {"pads": [1, 1, 1, 1]}, (1, 128, 64, 64), (128, 128, 3, 3),
     (1, 128, 64, 64), 64 * 64 * 128 * 128 * 9),
    ("the same, dilated", "Conv", {"pads": [2, 2, 2, 2], "dilations": [2, 2]}, (1, 128, 64, 64), (128, 128, 3, 3),
     (1, 128, 64, 64), 64 * 64 * 128 * 128 * 9),
]


def write_model(path, operator, attributes, input_shape, weight_shape, output_shape):
    """An ONNX file with one node; its weights are noise."""
    weights = np.random.default_rng(1).standard_normal(weight_shape).astype(np.float32)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)
    node = helper.make_node(operator, ["x", "w"], ["y"], **attributes)
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def shortest_run(runner, shape, rounds):
    """Seconds of the fastest of some runs."""
    x, best = np.random.default_rng(2).standard_normal(shape).astype(np.float32), float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        runner.run({"x": x})
        best = min(best, time.process_time() - begin)
    return best


def measure(arguments, folder):
    """(name, compiler, multiply-adds, seconds) of every model by every compiler."""
    for name, operator, attributes, given, weights, result, macs in MODELS:
        path = Path(folder) / "model.onnx"
        write_model(path, operator, attributes, given, weights, result)
        for compiler in arguments.compilers.split(","):
            cache = Path(tempfile.mkdtemp(dir=folder))  # a library that is loaded must keep its name
            options = {"sonoc": arguments.sonoc, "target": arguments.target, "cc": compiler, "cache": cache}
            seconds = shortest_run(SonocC(path, 1, options), given, arguments.rounds)
            yield name, compiler, macs, seconds


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--target", default="x86-64-v3")
    parser.add_argument("--compilers", default="gcc -O3,clang-19 -O3")
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    peak = peak_of_core()[0]
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure(arguments, folder))
    peak = max(peak, peak_of_core()[0])
    print(f"one core: {peak:.1f} GFLOP/s; target {arguments.target}\n")
    print("| model | compiler | ms | GFLOP/s | of the peak |\n| --- | --- | ---: | ---: | ---: |")
    for name, compiler, macs, seconds in rows:
        rate = 2e-9 * macs / seconds
        print(f"| {name} | {compiler} | {1e3 * seconds:.2f} | {rate:.1f} | {100 * rate / peak:.0f} % |")


if __name__ == "__main__":
    main()
