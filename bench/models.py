"""Makes the models that engines are compared on, with random weights of a seed: as ONNX, and for ncnn through pnnx.

    python bench/models.py --out build/bench [--models acsnet,resnet18,mobilenetv2,unet] [--no-ncnn]

A model NAME gives, in the folder NAME of --out:

    model.onnx          what everyone gets
    deform.onnx         acsnet alone: deformable convolutions as ONNX's DeformConv, written by hand in PyTorch
    ncnn/model.param    what ncnn gets, with model.bin: pnnx's translation of the network, of the rewritten acsnet
    reference.npz       an input, and the outputs in float64

What is there already is not made again.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples/acsnet"))

import export as acsnet_export  # noqa: E402  (the folder must be on the path first)
import network as acsnet  # noqa: E402


class UNet(nn.Module):
    """The usual U-Net: five levels of two 3x3 convolutions each, 64 to 1024 channels, and transposed ones upwards."""

    CHANNELS = (64, 128, 256, 512, 1024)

    def __init__(self, inputs=3, outputs=2):
        super().__init__()
        channels = self.CHANNELS
        self.down = nn.ModuleList(self.twice(a, b) for a, b in zip((inputs, *channels), channels))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in channels[-2::-1])
        self.up = nn.ModuleList(self.twice(2 * c, c) for c in channels[-2::-1])
        self.out = nn.Conv2d(channels[0], outputs, 1)

    @staticmethod
    def twice(c_in, c_out):
        """Two convolutions, each with its normalisation."""
        layers = []
        for c in (c_in, c_out):
            layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, x):
        """Logits of each pixel."""
        maps = []
        for level, layer in enumerate(self.down):
            x = layer(x if level == 0 else nn.functional.max_pool2d(x, 2))
            maps.append(x)
        for grow, up, skip in zip(self.grow, self.up, maps[-2::-1]):
            x = up(torch.cat([skip, grow(x)], dim=1))
        return self.out(x)


class ResNet18(nn.Module):
    """ResNet-18: ACSNet's encoder, and ResNet's head."""

    def __init__(self, classes=1000):
        super().__init__()
        self.encoder = acsnet.Encoder(64)
        self.head = nn.Linear(512, classes)

    def forward(self, x):
        """Logits of each class."""
        return self.head(self.encoder(x)[-1].mean((2, 3)))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: 1x1 to more channels, 3x3 depthwise, 1x1 to few; a shortcut where shapes allow."""

    def __init__(self, c_in, c_out, stride, expand):
        super().__init__()
        hidden = c_in * expand
        layers = norm_conv(c_in, hidden, 1) if expand > 1 else []
        layers += norm_conv(hidden, hidden, 3, stride, groups=hidden)
        self.layers = nn.Sequential(*layers, *norm_conv(hidden, c_out, 1)[:-1])
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x):
        """N x c_in x H x W -> N x c_out x H/stride x W/stride"""
        return x + self.layers(x) if self.shortcut else self.layers(x)


def norm_conv(c_in, c_out, size, stride=1, groups=1):
    """A convolution, its normalisation and ReLU6."""
    conv = nn.Conv2d(c_in, c_out, size, stride, padding=size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(c_out), nn.ReLU6()]


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1."""

    BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, classes=1000):
        super().__init__()
        layers, c = norm_conv(3, 32, 3, 2), 32
        for expand, c_out, repeats, stride in self.BLOCKS:
            for i in range(repeats):
                layers.append(InvertedResidual(c, c_out, 1 if i else stride, expand))
                c = c_out
        self.layers = nn.Sequential(*layers, *norm_conv(c, 1280, 1))
        self.head = nn.Linear(1280, classes)

    def forward(self, x):
        """Logits of each class."""
        return self.head(self.layers(x).mean((2, 3)))


# Torchvision's operator by name and arguments, which exporters know; torchvision itself is not needed.
torch.library.define(
    "torchvision::deform_conv2d",
    "(Tensor x, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w, int pad_h, "
    "int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask) -> Tensor",
)


@torch.library.impl("torchvision::deform_conv2d", "cpu")
def deform_conv(x, weight, offset, mask, bias, *rest):
    """What tracing runs: ACSNet's own arithmetic of a 3x3 kernel; offsets are pairs for each tap."""
    taps = acsnet.TAPS
    offset = torch.cat([offset[:, 0::2], offset[:, 1::2]], dim=1)
    place = (acsnet.find_regular_places(offset, taps) + offset).permute(0, 2, 3, 1)
    values = acsnet.sample_bilinearly(nn.functional.pad(x, (1, 1, 1, 1)), place, taps)
    values = values * mask.permute(0, 2, 3, 1).unsqueeze(1)
    return nn.functional.conv2d(acsnet.lay_out_taps(values), weight, bias, stride=acsnet.KERNEL)


def deform_conv_as_onnx(graph, x, weight, offset, mask, bias, *rest):
    """The operator as ONNX's; stride, dilation and groups are all 1, as ONNX takes them to be."""
    return graph.op("DeformConv", x, weight, offset, bias, mask, kernel_shape_i=[3, 3], pads_i=[1, 1, 1, 1])


torch.onnx.register_custom_op_symbolic("torchvision::deform_conv2d", deform_conv_as_onnx, 19)


class DeformConv2d(nn.Module):
    """torchvision's layer of this name, for a 3x3 kernel; pnnx knows it by where it says it comes from."""

    def __init__(self, weight):
        super().__init__()
        self.weight, self.bias = weight, nn.Parameter(torch.zeros(weight.shape[0]))

    def forward(self, x, offset, mask):
        """N x c_in x H x W, N x 18 x H x W, N x 9 x H x W -> N x c_out x H x W"""
        return torch.ops.torchvision.deform_conv2d(x, self.weight, offset, mask, self.bias, 1, 1, 1, 1, 1, 1, 1, 1, True)


DeformConv2d.__module__ = "torchvision.ops.deform_conv"


class DeformConv(nn.Module):
    """A deformable convolution of ACSNet, the same sums, through torchvision's operator."""

    def __init__(self, old):
        super().__init__()
        self.offset_conv, self.mask_conv = old.offset_conv, old.mask_conv
        taps = acsnet.TAPS
        order = [i for tap in range(taps) for i in (tap, taps + tap)]  # rows then columns -> a pair for each tap
        self.offset_conv.weight.data = self.offset_conv.weight.data[order]
        self.offset_conv.bias.data = self.offset_conv.bias.data[order]
        self.conv = DeformConv2d(old.conv.weight)

    def forward(self, x):
        """N x c_in x H x W -> N x c_out x H x W"""
        return self.conv(x, self.offset_conv(x), torch.sigmoid(self.mask_conv(x)))


def rewrite_acsnet(network):
    """The same network with its deformable convolutions as one operator each."""
    for attention in (network.attend1, network.attend2):
        attention.conv1, attention.conv2 = DeformConv(attention.conv1), DeformConv(attention.conv2)
    return network


@torch.no_grad()
def draw_weights(network):
    """Seeded weights that keep the size of what they pass on; normalisations with uneven statistics."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            fan = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.weight.shape[0]
            nn.init.normal_(module.weight, 0.0, (2.0 / fan) ** 0.5, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.4, generator=generator)
            nn.init.normal_(module.bias, 0.0, 0.2, generator=generator)
            nn.init.normal_(module.running_mean, 0.0, 0.3, generator=generator)
            nn.init.uniform_(module.running_var, 0.5, 1.5, generator=generator)
    return network.eval()


def make_image(size):
    """A seeded image, 1 x 3 x size x size."""
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))


def make_acsnet():
    """(network, image) of the real width, as examples/acsnet/export.py makes them."""
    return acsnet_export.make_network(acsnet.REAL_WIDTH, "random", 1), acsnet_export.make_reference_image(256)


MODELS = {  # name: (makes the network and an image, names of the outputs)
    "acsnet": (make_acsnet, acsnet_export.OUTPUT_NAMES),
    "resnet18": (lambda: (draw_weights(ResNet18()), make_image(224)), ["logits"]),
    "mobilenetv2": (lambda: (draw_weights(MobileNetV2()), make_image(224)), ["logits"]),
    "unet": (lambda: (draw_weights(UNet()), make_image(256)), ["logits"]),
}
INPUT = acsnet_export.INPUT_NAME


def as_list(outputs):
    """A network's outputs, be it one or several."""
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def write_onnx(network, image, outputs, path):
    """The network by PyTorch's TorchScript exporter; notes are taken out."""
    opset = 19 if path.stem.endswith("deform") else 17
    torch.onnx.export(network, (image,), path, dynamo=False, opset_version=opset, input_names=[INPUT],
                      output_names=outputs)
    onnx.save(acsnet_export.strip_notes(onnx.load(path)), path)


def write_reference(network, image, outputs, path):
    """An input and the outputs in float64."""
    results = as_list(network.double()(image.double()))
    network.float()
    np.savez_compressed(path, **{INPUT: image.numpy()}, **{n: r.numpy() for n, r in zip(outputs, results)})


def write_ncnn(network, image, folder):
    """The network for ncnn, by pnnx, in float32."""
    folder.mkdir(exist_ok=True)
    torch.jit.trace(network, image).save(folder / "traced.pt")
    shape = ",".join(str(n) for n in image.shape)
    program = Path(sys.executable).parent / "pnnx"
    command = [program, "traced.pt", f"inputshape=[{shape}]", "fp16=0", "customop=",
               "ncnnparam=model.param", "ncnnbin=model.bin"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    for path in folder.iterdir():
        if path.name not in ("model.param", "model.bin"):
            path.unlink()
    if done.returncode or not (folder / "model.param").exists():
        raise RuntimeError(f"pnnx failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def make_once(path, make):
    """Make a file or folder that is not there; all of it or nothing."""
    if path.exists():
        return
    half = path.with_name("half_" + path.name)
    make(half)
    os.replace(half, path)
    print(path, flush=True)


@torch.no_grad()
def make_model(name, out, ncnn=True):
    """All files of a model; says which are new."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    wanted = ["model.onnx", "reference.npz"] + ["ncnn"] * ncnn + ["deform.onnx"] * (name == "acsnet")
    if all((folder / w).exists() for w in wanted):
        return
    make, outputs = MODELS[name]
    network, image = make()
    make_once(folder / "reference.npz", lambda path: write_reference(network, image, outputs, path))
    make_once(folder / "model.onnx", lambda path: write_onnx(network, image, outputs, path))
    if name == "acsnet":
        rewrite_acsnet(network)
        make_once(folder / "deform.onnx", lambda path: write_onnx(network, image, outputs, path))
    if ncnn:
        make_once(folder / "ncnn", lambda path: write_ncnn(network, image, path))


def main():
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--no-ncnn", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.models.split(","):
        make_model(name, arguments.out, not arguments.no_ncnn)


if __name__ == "__main__":
    main()
