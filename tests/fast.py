"""Runs the narrow, trained ACSNet in class FAST on phantoms that it was not trained on: masks against float32's.

    python tests/fast.py --sonoc build/release/sonoc [--phantoms 4] [--all]

For every way of rounding: the largest error of a logit, as a part of the largest logit, and the Dice of the masks with
those of class REAL, on every phantom; neither may be worse than docs/exactness.md states. On one phantom C and machine
code give the same bits; with --all, the interpreter, C by clang and on two threads, too.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from readers import available

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/acsnet"
MODEL = EXAMPLE / "acsnet_narrow_ts17.onnx"
FIRST_SEED = 10_000_000  # train.py's held-out phantoms
MEAN, DEVIATION = 0.330, 0.204
BOUNDS = {"int8": (6e-2, 0.98), "int12": (4e-3, 0.998)}  # error of a logit, Dice
READERS = {
    "jit": ["--backend=jit"],
    "gcc -O3": ["--backend=c", "--cc=gcc -O3"],
}
MORE_READERS = {
    "interp": ["--backend=interp"],
    "clang-19 -O2": ["--backend=c", "--cc=clang-19 -O2"],
    "gcc -O1, two threads": ["--backend=c", "--cc=gcc -O1", "--threads=2"],
}


def network_input(seed):
    """A phantom as the network takes it."""
    sys.path.insert(0, str(EXAMPLE))
    from phantoms import make_phantom

    image = (make_phantom(seed)[0] - MEAN) / DEVIATION
    return np.repeat(image[None, None], 3, axis=1).astype(np.float32)


def run(sonoc, folder, image, options):
    """What the model answers: its outputs' file, read."""
    np.savez(folder / "in.npz", image=image)
    command = [sonoc, "run", MODEL, "--inputs", folder / "in.npz", "--outputs", folder / "out.npz", "--quiet", *options]
    subprocess.run(command, check=True)
    with np.load(folder / "out.npz") as outputs:
        return dict(outputs)


def dice(a, b):
    """Twice what two masks share, by what they have."""
    return 2 * np.sum(a & b) / max(np.sum(a) + np.sum(b), 1)


def check_phantom(sonoc, folder, kind, image, exact, reader):
    """Error and Dice of one phantom, and what is wrong with them."""
    options = [*reader, "--exactness=fast", f"--fast={kind}"]
    fast = run(sonoc, folder, image, options)
    error = max(float(np.max(np.abs(fast[name] - exact[name])) / np.max(np.abs(exact[name]))) for name in exact)
    overlap = dice(fast["mask_logits"] > 0, exact["mask_logits"] > 0)
    same_class = np.argmax(fast["class_logits"]) == np.argmax(exact["class_logits"])
    most, least = BOUNDS[kind]
    return error, overlap, not (error <= most and overlap >= least and same_class)


def check_bits(sonoc, folder, kind, image, readers):
    """Readers that give other bits than the first."""
    options = ["--exactness=fast", f"--fast={kind}"]
    results = {name: run(sonoc, folder, image, [*reader, *options]) for name, reader in readers.items()}
    first = next(iter(results.values()))
    return [name for name, result in results.items()
            if any(result[k].tobytes() != first[k].tobytes() for k in first)]


def main():
    """Check every way of rounding."""
    parser = argparse.ArgumentParser(description="Check the errors of class FAST on phantoms.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--phantoms", type=int, default=4)
    parser.add_argument("--all", action="store_true", help="more readers")
    options = parser.parse_args()
    sonoc = options.sonoc.resolve()
    readers = available(READERS | (MORE_READERS if options.all else {}), sonoc)
    first = next(iter(readers.values()))
    images = [network_input(FIRST_SEED + i) for i in range(options.phantoms)]
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exact = [run(sonoc, folder, image, first) for image in images]
        for kind, (most, least) in BOUNDS.items():
            seen = [check_phantom(sonoc, folder, kind, image, want, first) for image, want in zip(images, exact)]
            print(f"{kind}: largest error {max(s[0] for s in seen):.2g} of the largest logit (at most {most:.2g}), "
                  f"lowest Dice {min(s[1] for s in seen):.4f} (at least {least}) on {len(seen)} phantoms")
            wrong += [f"{kind}: phantom {i} is worse" for i, s in enumerate(seen) if s[2]]
            others = check_bits(sonoc, folder, kind, images[0], readers)
            wrong += [f"{kind}: {other} gives other bits" for other in others]
    print("\n".join(wrong) or f"the same bits from {len(readers)} readers")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
