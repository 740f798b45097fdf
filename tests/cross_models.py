"""Models that run on several machines, and the bits that are expected of them."""

import os
import subprocess
import zlib
from pathlib import Path

import numpy as np

from acsnet import WEIGHTS, dim_options, export
from onnx_nodes import find_operators, is_narrow, load_cases, write_case
from run import random_inputs

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build/cross"
HARNESS = Path(__file__).parent / "cross"
UNFUSED = ["baseline", "x86-64-v2", "multi-v2", "i686"]  # targets whose plans have no fused multiply-add


class Model:
    """A model with its inputs: `inputs` as sonoc takes them, `arrays` in the order of the ports."""

    def __init__(self, name, path, inputs, arrays, options=()):
        self.name, self.path, self.inputs, self.arrays, self.options = name, path, inputs, arrays, list(options)
        self.kept = {}

    def run(self, command, out, *options):
        """Outputs of `sonoc run`, by name; None: sonoc refuses the model."""
        words = ["run", self.path, "--inputs", self.inputs, *self.options, *options, "--outputs", out, "--quiet"]
        done = subprocess.run([*command, *words], capture_output=True, text=True)
        if done.returncode in (3, 4):
            return None
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr}")
        with np.load(out) as file:
            return {name: file[name] for name in file.files}

    def interpreted(self, sonoc, target):
        """What the interpreter makes of the plan for a target."""
        out = FOLDER / "models" / f"{self.name}.{target}.{os.getpid()}.npz"
        try:
            return self.run([sonoc], out, "--backend=interp", f"--target={target}")
        finally:
            out.unlink(missing_ok=True)

    def expected(self, sonoc, target):
        """The same, of the one plan whose bits those of all plans with (or without) fma have."""
        reference = "baseline" if target in UNFUSED else "x86-64-v3"
        if reference not in self.kept:
            self.kept[reference] = self.interpreted(sonoc, reference)
        return self.kept[reference]

    def write_inputs(self, path):
        """Write the inputs as the C harness reads them."""
        path.write_bytes(b"".join(np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes()
                                  for a in self.arrays))


def tensor_of(value):
    """An input of a case as an array; None: it is none."""
    return np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else None


def node_models(take_all):
    """ONNX's node cases whose tensors are plain arrays; of the sample, one in four operators has one."""
    cases = [case for case in load_cases() if "_expanded" not in case.name and not is_narrow(case)]
    operators, seen = find_operators(cases), set()
    for case in cases:
        operator = operators[case.name]
        if not take_all and (operator in seen or zlib.crc32(operator.encode()) % 4):
            continue
        arrays = [tensor_of(value) for value in case.data_sets[0][0]]
        if any(a is None or a.dtype.kind not in "fiub" for a in arrays):
            continue
        seen.add(operator)
        folder = FOLDER / "models" / case.name
        write_case(case, folder)
        yield Model(case.name, folder / "model.onnx", folder, arrays)


def random_models(maker, count):
    """Random graphs, seeds from 1; of every second one the plan of -O3."""
    for seed in range(1, count + 1):
        text = subprocess.run([maker, "print", str(seed)], capture_output=True, text=True, check=True).stdout
        folder = FOLDER / "models" / f"random_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.sonoc").write_text(text)
        inputs = random_inputs(text, np.random.default_rng(seed))
        np.savez(folder / "in.npz", **inputs)
        yield Model(f"random_{seed}", folder / "model.sonoc", folder / "in.npz", list(inputs.values()),
                    [] if seed % 2 else ["-O3"])


ROUNDED = """graph rounded(%x: f32[2,32,7,9], %o: f32[2,18,7,9], %m: f32[2,9,7,9]) -> (%y, %z) {
    %zero = constant f32[] {0}
    %n = constant f32[] {11520}
    %one = constant f32[] {1}
    %shape = constant i64[4] {40, 32, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %mask = Sigmoid(%m)
    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %z = DeformConv(%x, %w, %o, _, %mask) {pads = [1, 1, 1, 1]}
}
"""


def rounded_models():
    """Convolutions of class FAST, of both kinds of rounding."""
    folder = FOLDER / "models/rounded"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.sonoc").write_text(ROUNDED)
    inputs = random_inputs(ROUNDED, np.random.default_rng(1))
    np.savez(folder / "in.npz", **inputs)
    for kind in ("int8", "int12"):
        yield Model(f"rounded_{kind}", folder / "model.sonoc", folder / "in.npz", list(inputs.values()),
                    ["--exactness=fast", f"--fast={kind}"])


def acsnet_models(forms):
    """The narrow ACSNet on an image of 64 x 64."""
    folder = export(8, WEIGHTS, forms, 64)
    with np.load(folder / "acsnet8_reference.npz") as file:
        image = file["image"]
    np.savez(folder / "in.npz", image=image)
    for form in forms:
        yield Model(f"acsnet_{form.replace('-', '_')}", folder / f"acsnet8_{form}.onnx", folder / "in.npz", [image],
                    dim_options(form))


def same_bits(got, want):
    """Are two arrays the same bits, but for those of a NaN?"""
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    if want.dtype.kind == "f":
        nan = np.isnan(want)
        if not np.array_equal(nan, np.isnan(got)):
            return False
        return got[~nan].tobytes() == want[~nan].tobytes()
    return got.tobytes() == want.tobytes()


def differences(who, got, want):
    """Yield the outputs that are not as expected."""
    for name, value in want.items():
        if not same_bits(got[name], value):
            yield f"{who}: {name} has other bits than the interpreter's"


def differences_in(who, path, want):
    """The same of a file that the C harness wrote."""
    bits, got, at = path.read_bytes() if path.exists() else b"", {}, 0
    if len(bits) != sum(value.nbytes for value in want.values()):
        return [f"{who}: {len(bits)} bytes of outputs"]
    for name, value in want.items():
        array = np.frombuffer(bits, value.dtype.newbyteorder("<"), value.size, at).astype(value.dtype)
        got[name] = array.reshape(value.shape)
        at += value.nbytes
    return list(differences(who, got, want))
