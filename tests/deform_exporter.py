"""Deformable convolutions as the package deform-conv2d-onnx-exporter writes them become DeformConv.

    python tests/deform_exporter.py --sonoc build/release/sonoc

Small modules go through PyTorch's TorchScript exporter with that package's symbolic function, in both of its manners;
sonoc must find one DeformConv with the module's attributes and nothing else, and what it computes must be what ONNX
Runtime computes from the file as it was exported. Where one place of one tap is moved in the file, it is none.
torchvision is not needed: its operator is declared here.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch.onnx._internal.torchscript_exporter import _type_utils

sys.modules["torch.onnx._type_utils"] = _type_utils  # where the package looks for it
import deform_conv2d_onnx_exporter  # noqa: E402

LIBRARY = torch.library.Library("torchvision", "DEF")
LIBRARY.define("deform_conv2d(Tensor x, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w, "
               "int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask) -> Tensor")
LIBRARY.impl("deform_conv2d", lambda x, weight, offset, *_: x.new_zeros(len(x), len(weight), *offset.shape[2:]),
             "CompositeExplicitAutograd")
SIZE, CHANNELS, NEAR = (7, 9), 8, 1e-5


@dataclass
class Settings:
    """What a deformable convolution may be told."""

    stride: tuple = (1, 1)
    pad: tuple = (1, 1)
    dilation: tuple = (1, 1)
    groups: int = 1
    offset_groups: int = 1
    mask: bool = False
    kernel: tuple = (3, 3)
    batch: int = 1
    offset_conv: int = 0  # channels of a convolution that offsets and mask are sliced from

    @property
    def out(self):
        """Rows and columns of the result."""
        zipped = zip(SIZE, self.stride, self.pad, self.dilation, self.kernel)
        return [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size, stride, pad, dilation, kernel in zipped]


CASES = {
    "without mask": (Settings(), ""),
    "with mask": (Settings(mask=True), ""),
    "no padding": (Settings(pad=(0, 0), mask=True), ""),
    "groups": (Settings(groups=2), "group = 2"),
    "offset groups": (Settings(offset_groups=4, mask=True), "offset_group = 4"),
    "both groups, a batch": (Settings(groups=4, offset_groups=2, mask=True, batch=2), "group = 4, offset_group = 2"),
    "strides": (Settings(stride=(2, 1)), "strides = [2, 1]"),
    "dilations": (Settings(dilation=(1, 2), pad=(0, 2), mask=True), "dilations = [1, 2]"),
    "a kernel of 1 x 3": (Settings(kernel=(1, 3), pad=(0, 1), mask=True), ""),
    "a kernel of 1 x 1": (Settings(kernel=(1, 1), pad=(0, 0), mask=True), ""),
    "offsets and mask from one convolution": (Settings(mask=True, offset_conv=27), ""),
    "offsets from a part of a convolution": (Settings(mask=True, offset_conv=36), ""),
}


class Module(torch.nn.Module):
    """One deformable convolution."""

    def __init__(self, settings):
        super().__init__()
        s, taps = settings, settings.kernel[0] * settings.kernel[1] * settings.offset_groups
        self.weight = torch.nn.Parameter(torch.randn(6 if s.groups == 1 else 2 * s.groups, CHANNELS // s.groups, *s.kernel))
        self.bias = torch.nn.Parameter(torch.randn(len(self.weight)))
        self.numbers = [*s.stride, *s.pad, *s.dilation, s.groups, s.offset_groups, s.mask]
        self.conv = torch.nn.Conv2d(CHANNELS, s.offset_conv, 3, padding=1) if s.offset_conv else None
        self.x = torch.randn(s.batch, CHANNELS, *SIZE)
        self.offset, self.mask = 3 * torch.randn(s.batch, 2 * taps, *s.out), torch.rand(s.batch, taps, *s.out)
        self.taps = taps

    def inputs(self):
        """What it runs on, by name."""
        named = {"x": self.x} | ({} if self.conv else {"offset": self.offset})
        return named | ({"mask": self.mask} if self.numbers[-1] and not self.conv else {})

    def forward(self, x, offset=None, mask=None):
        """What is exported."""
        if self.conv:
            made = self.conv(x)
            offset, mask = made[:, :2 * self.taps], torch.sigmoid(made[:, -self.taps:])
        mask = mask if mask is not None else x.new_zeros(1)
        return torch.ops.torchvision.deform_conv2d(x, self.weight, offset, mask, self.bias, *self.numbers)


def export(settings, path):
    """Export a module; return its inputs."""
    torch.manual_seed(7)
    module = Module(settings).eval()
    inputs = module.inputs()
    with torch.no_grad():
        torch.onnx.export(module, tuple(inputs.values()), path, opset_version=17, dynamo=False, verbose=False,
                          input_names=list(inputs), output_names=["y"])
    return {name: value.numpy() for name, value in inputs.items()}


def check(sonoc, settings, attributes, folder):
    """Raise one; return what is wrong, or None."""
    model = folder / "model.onnx"
    inputs = export(settings, model)
    graph = subprocess.run([sonoc, "opt", model, "--quiet"], check=True, capture_output=True, text=True).stdout
    nodes = [line for line in graph.splitlines() if " = " in line and " = constant" not in line]
    deform = [line for line in nodes if " = DeformConv(" in line]
    if len(deform) != 1 or attributes not in deform[0] or len(nodes) > (5 if settings.offset_conv else 1):
        return graph
    np.savez(folder / "in.npz", **inputs)
    subprocess.run([sonoc, "run", model, "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", "--quiet"], check=True)
    want = onnxruntime.InferenceSession(str(model)).run(None, inputs)[0]
    with np.load(folder / "out.npz") as outputs:
        error = np.abs(outputs["y"] - want).max() / np.abs(want).max()
    return None if error < NEAR else f"the error is {error:.1e}"


def check_moved(sonoc, folder):
    """Move a place of the second offset group by half a pixel; return what is wrong, or None."""
    model = folder / "model.onnx"
    export(CASES["both groups, a batch"][0], model)
    moved = onnx.load(model)
    places = [a.t for node in moved.graph.node for a in node.attribute if a.name == "value" and len(a.t.dims) == 6]
    array = onnx.numpy_helper.to_array(places[0]).repeat(2, axis=1)
    array[0, 1, 4, 0, 2, 3] += 0.5
    places[0].CopyFrom(onnx.numpy_helper.from_array(array))
    onnx.save(moved, model)
    done = subprocess.run([sonoc, "opt", model, "--quiet", "--remarks"], check=True, capture_output=True, text=True)
    told = "run on random numbers, it is not what DeformConv computes" in done.stderr
    return None if told and "DeformConv(" not in done.stdout else done.stderr


def main():
    """Check all cases."""
    parser = argparse.ArgumentParser(description="Raise what deform-conv2d-onnx-exporter writes.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc, failed = parser.parse_args().sonoc.resolve(), 0
    warnings.simplefilter("ignore")
    for use_gathernd in (True, False):
        deform_conv2d_onnx_exporter.register_deform_conv2d_onnx_op(use_gathernd=use_gathernd)
        for name, (settings, attributes) in CASES.items():
            with tempfile.TemporaryDirectory() as folder:
                wrong = check(sonoc, settings, attributes, Path(folder))
            if wrong:
                failed += 1
                print(f"{name}, {'GatherND' if use_gathernd else 'GatherElements'}: {wrong}")
        with tempfile.TemporaryDirectory() as folder:
            wrong = check_moved(sonoc, Path(folder))
        if wrong:
            failed += 1
            print(f"a place is moved: {wrong}")
    print(f"{2 * (len(CASES) + 1) - failed} right, {failed} wrong")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
