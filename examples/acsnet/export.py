"""Export ACSNet as ONNX, in eight forms: PyTorch's two exporters and their operator sets.

    python examples/acsnet/export.py --width 64 --weights random --form all --out DIR --reference
    python examples/acsnet/export.py --width 8 --weights FILE.npz --form ts17 --out DIR

A file is named acsnet<width>_<form>.onnx. Its input is `image`, 1 x 3 x size x size, its outputs
are `class_logits`, 1 x 2, and `mask_logits`, 1 x 1 x size x size; the form ts17-dynamic takes any
number of images. With --reference, acsnet<width>_reference.npz is written as well: it holds a fixed
image (image) and what PyTorch answers, in float64 (class_logits, mask_logits) and in float32
(torch32_class_logits, torch32_mask_logits).
"""

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from network import REAL_WIDTH, ACSNet, draw_weights, normalise_image
from phantoms import make_phantom

FORMS = {  # name: (exporter, opset, is the batch axis dynamic)
    "ts11": ("torchscript", 11, False),
    "ts13": ("torchscript", 13, False),
    "ts17": ("torchscript", 17, False),
    "ts17-dynamic": ("torchscript", 17, True),
    "dynamo18": ("dynamo", 18, False),
    "dynamo20": ("dynamo", 20, False),
    "dynamo21": ("dynamo", 21, False),
    "dynamo23": ("dynamo", 23, False),
}
INPUT_NAME, OUTPUT_NAMES = "image", ["class_logits", "mask_logits"]
REFERENCE_SEED = 20_000_000  # of the phantom in a reference file


def load_weights(network, path):
    """Fill the network with an .npz file's arrays, named as in its state_dict, and return it."""
    with np.load(path) as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path}: missing {missing}, unexpected {unexpected}")
    return network


def save_weights(network, path):
    """Write the network's parameters and running statistics as an .npz file for load_weights."""
    state = network.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    np.savez_compressed(path, **{name: state[name].cpu().numpy() for name in names})


def make_network(width, weights, seed):
    """Make an ACSNet in eval mode with random weights of the seed, or those of a file."""
    network = ACSNet(width)
    network = draw_weights(network, seed) if weights == "random" else load_weights(network, weights)
    return network.eval()


def make_reference_image(size):
    """Return a phantom as a normalised float32 image, 1 x 3 x size x size."""
    grey, _, _ = make_phantom(REFERENCE_SEED, "malignant", size)
    return normalise_image(torch.from_numpy(grey)[None])


def export_form(network, form, image, path):
    """Write the network as an ONNX file in one of FORMS and return the model.

    image, N x 3 x S x S, gives the input's shape.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # no word that torchvision is missing
    exporter, opset, is_dynamic = FORMS[form]
    arguments = dict(opset_version=opset, input_names=[INPUT_NAME], output_names=OUTPUT_NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing: shapes become constants, as intended
        if exporter == "torchscript":
            names = [INPUT_NAME, *OUTPUT_NAMES]
            axes = {name: {0: "batch"} for name in names} if is_dynamic else None
            torch.onnx.export(network, (image,), path, dynamo=False, dynamic_axes=axes, **arguments)
        else:
            arguments.update(dynamo=True, external_data=False, verbose=False)
            torch.onnx.export(network, (image,), path, **arguments)
    model = strip_notes(onnx.load(path))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return model


def strip_notes(message):
    """Remove documentation and metadata (stack traces, paths) everywhere in a protobuf message."""
    for field, value in list(message.ListFields()):
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None and field.name != "raw_data":
            for part in value if hasattr(value, "__len__") else [value]:
                strip_notes(part)
    return message


def write_reference(network, image, path):
    """Write an image and the network's outputs, in float64 and in float32, as an .npz file."""
    with torch.no_grad():
        narrow = [output.numpy() for output in network(image)]
        wide = [output.numpy() for output in network.double()(image.double())]
    network.float()
    arrays = {INPUT_NAME: image.numpy()}
    for name, in_float64, in_float32 in zip(OUTPUT_NAMES, wide, narrow):
        arrays[name] = in_float64
        arrays[f"torch32_{name}"] = in_float32
    np.savez_compressed(path, **arrays)


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Export ACSNet as ONNX.")
    parser.add_argument("--width", type=int, default=REAL_WIDTH, help="channels of the first layer")
    parser.add_argument("--weights", default="random", help="'random' or an .npz file")
    parser.add_argument("--form", choices=[*FORMS, "all"], default="all")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=1, help="of random weights")
    parser.add_argument("--size", type=int, default=256, help="height and width of the image")
    parser.add_argument("--reference", action="store_true", help="also write what PyTorch answers")
    return parser.parse_args()


def main():
    """Export what the command line asks for, and print each file's number of nodes."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    network = make_network(options.width, options.weights, options.seed)
    image = make_reference_image(options.size)
    stem = f"acsnet{options.width}"
    if options.reference:
        write_reference(network, image, options.out / f"{stem}_reference.npz")
    for form in FORMS if options.form == "all" else [options.form]:
        path = options.out / f"{stem}_{form}.onnx"
        model = export_form(network, form, image, path)
        print(f"{path}: {len(model.graph.node)} nodes, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
