"""Fits backends/code_size.def: the bytes of machine code that each part of a kernel's loop IR takes on a Cortex-M.

    .venv/bin/python scripts/code_size.py --sonoc build/release/sonoc MODEL...

Compiles the C of the models for a Cortex-M7 with -Os, reads the size of every function from the object file, and prints
the rows of the table that fit best, and how far off they are.
"""

import argparse
import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

FLAGS = ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard", "-mthumb", "-Os", "-ffreestanding", "-w"]
FAR = 0.15  # off by more


def function_sizes(path):
    """Map functions of an object file to their bytes; what the compiler made of one counts for it."""
    sizes = {}
    for line in subprocess.run(["arm-none-eabi-nm", "-S", path], capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tT":
            name = words[3].split(".")[0]
            sizes[name] = sizes.get(name, 0) + int(words[1], 16)
    return sizes


def measure(sonoc, model):
    """Return rows (parts, bytes) of a model's kernels, and one (features, bytes) of the functions around them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sonoc, "compile", model, "-o", "m.c", "--target=cortex-m7", "--arena=caller", "--json"]
        done = subprocess.run([*command, "--weights=file", "--quiet"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            return [], []
        report = json.loads(done.stdout)
        subprocess.run(["arm-none-eabi-gcc", *FLAGS, "-c", "m.c"], cwd=folder, check=True)
        sizes = function_sizes(Path(folder) / "m.o")
    kernels = [(list(k["code_parts"].values()), sizes[k["name"]]) for k in report["kernels"] if k["name"] in sizes]
    frame = sum(sizes.get(f"m_{name}", 0) for name in ("init", "run", "run_ports"))
    return kernels, [([report["ports"], len(report["kernels"])], frame)]


def solve(a, b):
    """Least squares; what would be negative is nothing."""
    used = np.arange(a.shape[1])
    while True:
        x = np.linalg.lstsq(a[:, used], b, rcond=None)[0]
        if (x >= 0).all():
            break
        used = np.delete(used, np.argmin(x))
    whole = np.zeros(a.shape[1])
    whole[used] = x
    return whole


def fit(rows):
    """Bytes of each feature; what is far off, where the compiler does something of its own, counts little."""
    features = np.array([row for row, _ in rows], float)
    sizes = np.array([size for _, size in rows], float)
    weight = start = sizes**-0.75
    for _ in range(20):
        bytes_of = solve(features * weight[:, None], sizes * weight)
        error = np.abs(features @ bytes_of / sizes - 1)
        weight = start / np.maximum(1, error / FAR)
    print(f"{len(rows)} functions: half are within {np.median(error):.1%}, nine in ten within {np.quantile(error, 0.9):.1%}")
    return bytes_of


def main():
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description="Fit backends/code_size.def.")
    parser.add_argument("--sonoc", type=Path, default=Path("build/release/sonoc"))
    parser.add_argument("models", nargs="+", type=Path)
    options = parser.parse_args()
    kernels, frames = set(), []
    with ThreadPoolExecutor(2) as pool:
        paths = [path.resolve() for path in options.models]
        for more, frame in pool.map(lambda path: measure(options.sonoc.resolve(), path), paths):
            kernels |= {(tuple(parts), size) for parts, size in more}
            frames += frame
    print("parts", *(f"{value:.2f}" for value in fit(sorted(kernels))))
    print("frame", *(f"{value:.2f}" for value in fit(frames)))


if __name__ == "__main__":
    main()
