"""Every name of deformable convolution, against its definition.

    python custom_ops/deform_conv/test.py --sonoc build/release/sonoc

A model of one node runs through C, and, written back, through ONNX Runtime.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

STRIDE, PAD, DILATION, GROUP, OFFSET_GROUP = [1, 2], [1, 2], [2, 1], 2, 2
NEAR = 1e-5


def sample(image, y, x, clamp):
    """The value of an image (channels first) between its pixels."""
    height, width = image.shape[-2:]
    if clamp:
        if not (0 <= y < height and 0 <= x < width):
            return 0
        y, x = min(y, height - 1), min(x, width - 1)
    y0, x0 = int(np.floor(y)), int(np.floor(x))
    corners = [(y0 + i, x0 + k, (1 - abs(y - y0 - i)) * (1 - abs(x - x0 - k))) for i in (0, 1) for k in (0, 1)]
    return sum(w * image[i, k] for i, k, w in corners if 0 <= i < height and 0 <= k < width)


def deform_conv(x, weight, offset, mask=None, bias=None, clamp=False, stride=STRIDE, pad=PAD, dilation=DILATION,
                group=GROUP, offset_group=OFFSET_GROUP):
    """Deformable convolution, as slow as its definition."""
    x, (n_out, n_in, kh, kw) = x.astype(np.float64), weight.shape
    y = np.zeros((len(x), n_out, *offset.shape[2:]))
    for n, o, row, column in np.ndindex(y.shape):
        for c, i, k in np.ndindex(n_in, kh, kw):
            channel = o // (n_out // group) * n_in + c
            tap = channel // (x.shape[1] // offset_group) * kh * kw + i * kw + k
            dy, dx = offset[n, 2 * tap:2 * tap + 2, row, column].astype(np.float64)
            at = row * stride[0] - pad[0] + i * dilation[0] + dy, column * stride[1] - pad[1] + k * dilation[1] + dx
            value = sample(x[n, channel], *at, clamp) * float(weight[o, c, i, k])
            y[n, o, row, column] += value if mask is None else value * mask[n, tap, row, column]
    return y if bias is None else y + np.asarray(bias, np.float64)[:, None, None]


def make_tensors():
    """Input tensors by the letters that the cases below name them with."""
    rng = np.random.default_rng(3)
    taps, rows, columns = OFFSET_GROUP * 6, 5, 6
    tensors = {"x": rng.normal(size=(2, 4, 7, 8)), "w": rng.normal(size=(6, 2, 3, 2)),
               "o": rng.uniform(-3, 3, size=(2, 2 * taps, rows, columns)),
               "m": rng.uniform(size=(2, taps, rows, columns)), "b": rng.normal(size=6), "e": np.zeros((2, 0))}
    return {name: value.astype(np.float32) for name, value in tensors.items()}


MMCV = {"stride": STRIDE, "padding": PAD, "dilation": DILATION, "groups": GROUP, "deform_groups": OFFSET_GROUP}
OPENVINO = {"strides": STRIDE, "pads": PAD + PAD, "dilations": DILATION, "group": GROUP, "deformable_group": OFFSET_GROUP}
OURS = {"strides": STRIDE, "pads": PAD + PAD, "dilations": DILATION, "group": GROUP, "offset_group": OFFSET_GROUP}
NUMBERS = STRIDE + PAD + DILATION + [GROUP, OFFSET_GROUP, True]
CASES = [  # domain (ONNX's: its version), operator, inputs (_: none), attributes, constants behind them, is the border clamped?
    (19, "DeformConv", "xwo", OURS | {"kernel_shape": [3, 2]}, [], False),
    (19, "DeformConv", "xwo_m", OURS, [], False),
    (22, "DeformConv", "xwobm", OURS, [], False),
    ("mmcv", "MMCVDeformConv2d", "xow", MMCV, [], False),
    ("mmdeploy", "MMCVDeformConv2d", "xow", MMCV | {"im2col_step": 32}, [], False),
    ("mmcv", "MMCVModulatedDeformConv2d", "xomw", MMCV, [], False),
    ("mmdeploy", "MMCVModulatedDeformConv2d", "xomwb", MMCV, [], False),
    ("org.openvinotoolkit", "DeformableConv2D", "xowm", OPENVINO | {"bilinear_interpolation_pad": 1}, [], False),
    ("org.openvinotoolkit", "DeformableConv2D", "xow", OPENVINO, [], True),
    ("torchvision", "deform_conv2d", "xwomb", {}, NUMBERS, False),
    ("torchvision", "deform_conv2d", "xwoeb", {}, NUMBERS[:-1] + [False], False),
    ("sonoc", "DeformConv", "xwobm", OURS, [], False),
    ("sonoc", "DeformConv", "xwobm", OURS | {"border": "clamp"}, [], True),
]


def make_model(domain, operator, inputs, attributes, constants, tensors):
    """A model of one node."""
    version, domain = (domain, "") if isinstance(domain, int) else (19, domain)
    numbers = [numpy_helper.from_array(np.array(value), f"number{i}") for i, value in enumerate(constants)]
    names = ["" if name == "_" else name for name in inputs] + [t.name for t in numbers]
    node = helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, tensors[name].shape) for name in inputs if name != "_"]
    graph = helper.make_graph([node], "g", ports, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], numbers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)] + [helper.make_opsetid(domain, 1)] * bool(domain),
                             ir_version=9)


def run_case(sonoc, case, folder):
    """The largest errors of C and of ONNX Runtime."""
    domain, operator, inputs, attributes, constants, clamp = case
    tensors = make_tensors()
    given = {name: tensors[name] for name in inputs if name != "_"}
    model, out = folder / "model.onnx", folder / "out.onnx"
    onnx.save(make_model(domain, operator, inputs, attributes, constants, tensors), model)
    want = deform_conv(given["x"], given["w"], given["o"], given.get("m"), given.get("b"), clamp)
    np.savez(folder / "in.npz", **given)
    command = [sonoc, "run", model, "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", "--backend=c", "--quiet"]
    subprocess.run(command, check=True)
    subprocess.run([sonoc, "opt", model, "-o", out], check=True)
    onnx.checker.check_model(str(out), full_check=True)
    got = onnxruntime.InferenceSession(str(out)).run(None, given)[0]
    with np.load(folder / "out.npz") as file:
        return np.abs(file["y"] - want).max(), np.abs(got - want).max()


def main():
    """Run all cases."""
    parser = argparse.ArgumentParser(description="Check the names of deformable convolution.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc, failed = parser.parse_args().sonoc.resolve(), 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            errors = run_case(sonoc, case, Path(folder))
        failed += max(errors) > NEAR
        print(f"{case[0]}::{case[1]}({', '.join(case[2])}): {errors[0]:.1e} in C, {errors[1]:.1e} in ONNX Runtime")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
