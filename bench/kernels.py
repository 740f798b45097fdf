"""Single operators at the sizes that matter, through sonoc: how near kernels come to what a core can do.

    python bench/kernels.py [--sonoc PATH] [--target x86-64-v3] [--compilers "gcc -O3,jit"] [--runs 50] [--only TEXT]

The models are ONNX files with one operator (or two that become one kernel) and constant weights. A time is the least
processor time of the kernels that multiply, by `sonoc bench`; what lays data out at the borders of the model is left
out. GFLOP/s count the multiply-adds of the definition; the share of the peak counts those that the kernel does, which
Winograd's algorithm and the exchange of convolution and interpolation make fewer. One thread, one core.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def noise(*shape, scale=1.0):
    """Seeded normal numbers."""
    return (scale * np.random.default_rng(1).standard_normal(shape)).astype(np.float32)


def matmul(n):
    """A product of square matrices."""
    return [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (n, n)}, {"w": noise(n, n)}, n**3


def conv(channels, outputs, size, kernel=3, **attributes):
    """A convolution that keeps the size of its map, unless strides say otherwise."""
    pads = attributes.pop("pads", [kernel // 2] * 4)
    groups, stride = attributes.get("group", 1), attributes.get("strides", [1, 1])[0]
    weights = noise(outputs, channels // groups, kernel, kernel)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=pads, **attributes)
    return [node], {"x": (1, channels, size, size)}, {"w": weights}, (size // stride) ** 2 * weights.size


def deform(channels, outputs, size):
    """A modulated deformable 3x3 convolution whose offsets are about a pixel."""
    node = helper.make_node("DeformConv", ["x", "w", "offset", "", "mask"], ["y"], pads=[1, 1, 1, 1])
    weights = noise(outputs, channels, 3, 3)
    given = {"x": (1, channels, size, size), "offset": (1, 18, size, size), "mask": (1, 9, size, size)}
    return [node], given, {"w": weights}, size**2 * weights.size


def upsample_conv(channels, outputs, size):
    """Bilinear interpolation to twice the size, then a 3x3 convolution."""
    scale = helper.make_node("Resize", ["x", "", "scales"], ["u"], mode="linear",
                             coordinate_transformation_mode="align_corners")
    weights = noise(outputs, channels, 3, 3)
    nodes = [scale, helper.make_node("Conv", ["u", "w"], ["y"], pads=[1, 1, 1, 1])]
    constants = {"w": weights, "scales": np.array([1, 1, 2, 2], np.float32)}
    return nodes, {"x": (1, channels, size, size)}, constants, (2 * size) ** 2 * weights.size


def transposed(channels, outputs, size):
    """A transposed convolution to twice the size."""
    weights = noise(channels, outputs, 2, 2)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    return [node], {"x": (1, channels, size, size)}, {"w": weights}, size**2 * weights.size


MODELS = {  # name: (nodes, inputs, constants, multiply-adds)
    "MatMul 768x768x768": matmul(768),
    "Conv 3x3, 64 to 64, 64x64": conv(64, 64, 64),
    "Conv 3x3, 128 to 128, 64x64": conv(128, 128, 64),
    "Conv 3x3, 128 to 128, 128x128": conv(128, 128, 128),
    "Conv 3x3, 256 to 256, 32x32": conv(256, 256, 32),
    "Conv 3x3, 512 to 512, 16x16": conv(512, 512, 16),
    "Conv 3x3, 512 to 512, 8x8": conv(512, 512, 8),
    "Conv 3x3, 128 to 128, 64x64, dilated": conv(128, 128, 64, pads=[2, 2, 2, 2], dilations=[2, 2]),
    "Conv 3x3, 128 to 256, 64x64, stride 2": conv(128, 256, 64, strides=[2, 2]),
    "Conv 7x7, 3 to 64, 256x256, stride 2": conv(3, 64, 256, 7, strides=[2, 2]),
    "Conv 1x1, 256 to 256, 32x32": conv(256, 256, 32, 1),
    "Conv 3x3, depthwise 144, 56x56": conv(144, 144, 56, group=144),
    "DeformConv 3x3, 256 to 256, 32x32": deform(256, 256, 32),
    "DeformConv 3x3, 512 to 512, 16x16": deform(512, 512, 16),
    "Resize x2, Conv 3x3, 128 to 128, 256x256": upsample_conv(128, 128, 128),
    "ConvTranspose 2x2, 256 to 128, 64x64": transposed(256, 128, 64),
}


def write_model(path, nodes, inputs, constants):
    """An ONNX file."""
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in inputs.items()]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", given, [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def bench(arguments, path, compiler):
    """What `sonoc bench` tells; the compiler is a C compiler's command, or jit."""
    backend = ["--backend=jit"] if compiler == "jit" else ["--backend=c", f"--cc={compiler}"]
    command = [arguments.sonoc, "bench", str(path), "--json", "--quiet", "-O3", f"--target={arguments.target}",
               f"--runs={arguments.runs}", *backend]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def row(name, compiler, macs, figures):
    """A line of the table."""
    kernels = [k for k in figures["kernels"] if k["multiply_adds"]] or figures["kernels"]
    seconds = 1e-3 * sum(k["processor_ms"] for k in kernels)
    done = 2e-9 * sum(k["multiply_adds"] for k in kernels) / seconds
    return (f"| {name} | {compiler} | {1e3 * seconds:.2f} | {2e-9 * macs / seconds:.1f} | "
            f"{100 * done / figures['peak_gflops']:.0f} % |")


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--target", default="x86-64-v3")
    parser.add_argument("--compilers", default="gcc -O3,clang-19 -O3,jit")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--only", default="", help="models with this in their names")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    print("| operator | compiler | ms | GFLOP/s | of the peak |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for name, (nodes, inputs, constants, macs) in MODELS.items():
            if arguments.only not in name:
                continue
            write_model(path, nodes, inputs, constants)
            for compiler in arguments.compilers.split(","):
                print(row(name, compiler, macs, bench(arguments, path, compiler)), flush=True)


if __name__ == "__main__":
    main()
