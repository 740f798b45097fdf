"""Deformable convolutions in plain tensor operations, right ones and wrong ones: which become DeformConv?

    python tests/deform_soup.py --sonoc build/release/sonoc

A soup is written as a graph in text, by a generator with a knob for everything that the pass must look at. Right
soups, in several manners, become DeformConv with the attributes expected and give the numbers that they gave before;
a soup with one wrong constant, sign or order stays, and the remark says what is wrong with it.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PASSES = "--passes=infer,dead,simplify,tidy,share,raise_deform,tidy,share"
NOT_WHAT = "run on random numbers, it is not what DeformConv computes"


@dataclass
class Soup:
    """A soup of kernel x kernel taps on a map of size x size; what follows the first line is wrong if it is not so."""

    size: int = 3
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    pad: int = 1
    mask: bool = True
    interleaved: bool = False
    offset_from_conv: bool = False
    moved_pixel: float = 0
    width_off: int = 0
    top: float = 0
    bottom_off: float = 0
    sign: str = "Add"
    taps_transposed: bool = False
    last_stride: int = 0
    extra: str = ""

    @property
    def taps(self):
        """How many pixels a result is made from."""
        return self.kernel**2

    @property
    def padded(self):
        """How large the padded map is."""
        return self.size + 2 * self.pad

    @property
    def out(self):
        """How large the result is."""
        return (self.size + 2 * self.pad - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


class Writer:
    """A graph in text, written line by line."""

    def __init__(self):
        self.lines = []

    def constant(self, name, values, dtype="f32"):
        """A constant in parts of 16 elements: a longer one is told by its hash alone."""
        values = np.asarray(values, float if dtype == "f32" else int)
        parts = [values.reshape(-1)[i : i + 16] for i in range(0, values.size, 16)]
        for i, part in enumerate(parts):
            text = ", ".join(str(v) for v in part.tolist())
            self.lines.append(f"%{name}_{i} = constant {dtype}[{len(part)}] {{{text}}}")
        self.node(f"{name}_all", "Concat", *(f"{name}_{i}" for i in range(len(parts))), axis=0)
        self.reshape(name, f"{name}_all", *values.shape)

    def scalar(self, name, value):
        """A number."""
        self.lines.append(f"%{name} = constant f32[] {{{float(value)}}}")

    def integers(self, name, *values):
        """A short vector."""
        self.lines.append(f"%{name} = constant i64[{len(values)}] {{{', '.join(map(str, values))}}}")

    def node(self, name, op, *operands, **attributes):
        """A node with one output."""
        settings = ", ".join(f"{key} = {value}" for key, value in attributes.items())
        operands = ", ".join(f"%{v}" for v in operands)
        self.lines.append(f"%{name} = {op}({operands})" + (f" {{{settings}}}" if settings else ""))

    def reshape(self, name, x, *dims):
        """A Reshape."""
        self.integers(f"{name}_to", *dims)
        self.node(name, "Reshape", x, f"{name}_to")


def find_places(soup):
    """Where the taps read before they move, in the padded map: 1 x 2 taps x out x out."""
    order = np.arange(soup.taps).reshape(soup.kernel, soup.kernel)
    tap_row, tap_column = np.divmod((order.T if soup.taps_transposed else order).reshape(-1), soup.kernel)
    row, column = np.meshgrid(np.arange(soup.out), np.arange(soup.out), indexing="ij")
    rows = tap_row[:, None, None] * soup.dilation + row * soup.stride
    columns = tap_column[:, None, None] * soup.dilation + column * soup.stride
    places = np.stack([rows, columns], 1 if soup.interleaved else 0).astype(float)
    places = places.reshape(1, 2 * soup.taps, soup.out, soup.out)
    places[0, -1, -1, -1] += soup.moved_pixel
    return places


def write_places(w, soup):
    """Write where the samples are, its two neighbours in each direction, and how near they are."""
    offset = "offset"
    if soup.offset_from_conv:
        w.constant("ow", np.linspace(-1, 1, 4 * soup.taps).reshape(2 * soup.taps, 2, 1, 1))
        w.constant("ob", np.linspace(-2, 2, 2 * soup.taps))
        w.node("made", "Conv", "offset", "ow", "ob")
        offset = "made"
    w.constant("places", find_places(soup))
    w.node("place", "Add", "places", offset)
    w.node("last", "Transpose", "place", perm="[0, 2, 3, 1]")
    w.scalar("low", soup.top)
    w.scalar("high", soup.padded - 1 + soup.bottom_off)
    w.scalar("one", 1)
    for first, half in enumerate(("row", "column")):
        taps = np.arange(soup.taps)
        w.constant(f"{half}_channels", taps * 2 + first if soup.interleaved else taps + first * soup.taps, "i64")
        w.node(f"{half}", "Gather", "last", f"{half}_channels", axis=3)
        w.node(f"{half}_floor", "Floor", half)
        w.node(f"{half}_next", "Add", f"{half}_floor", "one")
        w.node(f"{half}_at", "Clip", half, "low", "high")
        for end, source in (("0", "floor"), ("1", "next")):
            w.node(f"{half}{end}", "Clip", f"{half}_{source}", "low", "high")
            w.node(f"{half}{end}_far", "Sub", f"{half}{end}", f"{half}_at")
        w.node(f"{half}0_near", soup.sign if half == "column" else "Add", "one", f"{half}0_far")
        w.node(f"{half}1_near", "Sub", "one", f"{half}1_far")


def write_samples(w, soup):
    """Write the four gathers and their weighted sum, `values`."""
    count = soup.out**2 * soup.taps
    w.integers("pads", *([0, 0, soup.pad, soup.pad] * 2))
    w.node("padded", "Pad", "x", "pads")
    w.reshape("flat", "padded", 1, 2, soup.padded**2)
    w.integers("wide", 1, 2, count)
    w.scalar("stretch", soup.padded + soup.width_off)
    for r, c in ("00", "11", "10", "01"):
        k = r + c
        w.node(f"down{k}", "Mul", f"row{r}", "stretch")
        w.node(f"index{k}", "Add", f"down{k}", f"column{c}")
        w.node(f"whole{k}", "Cast", f"index{k}", to=7)
        w.reshape(f"line{k}", f"whole{k}", 1, 1, count)
        w.node(f"lines{k}", "Expand", f"line{k}", "wide")
        w.node(f"read{k}", "GatherElements", "flat", f"lines{k}", axis=2)
        w.reshape(f"value{k}", f"read{k}", 1, 2, soup.out, soup.out, soup.taps)
        w.node(f"near{k}", "Mul", f"row{r}_near", f"column{c}_near")
        w.reshape(f"weight{k}", f"near{k}", 1, 1, soup.out, soup.out, soup.taps)
        w.node(f"part{k}", "Mul", f"value{k}", f"weight{k}")
    w.node("sum2", "Add", "part00", "part11")
    w.node("sum3", "Add", "sum2", "part10")
    w.node("values", "Add", "sum3", "part01")


def write_product(w, soup):
    """Write what follows the samples: mask, layout and the last convolution."""
    values, side = "values", soup.out * soup.kernel
    if soup.mask:
        w.node("mask_last", "Transpose", "mask", perm="[0, 2, 3, 1]")
        w.reshape("mask_flat", "mask_last", 1, 1, soup.out, soup.out, soup.taps)
        w.node("masked", "Mul", "values", "mask_flat")
        values = "masked"
    w.reshape("six", values, 1, 2, soup.out, soup.out, soup.kernel, soup.kernel)
    w.node("laid", "Transpose", "six", perm="[0, 1, 2, 4, 3, 5]")
    w.reshape("image", "laid", 1, 2, side, side)
    if soup.extra:
        w.node("changed", soup.extra, "image", "more" if soup.extra == "Add" else "image")
    w.constant("w", np.linspace(-1, 1, 4 * soup.taps).reshape(2, 2, soup.kernel, soup.kernel))
    step = soup.last_stride or soup.kernel
    w.node("y", "Conv", "changed" if soup.extra else "image", "w", strides=f"[{step}, {step}]")


def input_shapes(soup):
    """The shapes of a soup's inputs."""
    channels, side = 2 if soup.offset_from_conv else 2 * soup.taps, soup.out * soup.kernel
    shapes = {"x": (1, 2, soup.size, soup.size), "offset": (1, channels, soup.out, soup.out),
              "mask": (1, soup.taps, soup.out, soup.out)}
    return shapes | ({"more": (1, 2, side, side)} if soup.extra == "Add" else {})


def write_soup(soup):
    """Write a soup as a graph in text."""
    w = Writer()
    write_places(w, soup)
    write_samples(w, soup)
    write_product(w, soup)
    inputs = ", ".join(f"%{name}: f32[{','.join(map(str, shape))}]" for name, shape in input_shapes(soup).items())
    body = "\n".join(f"    {line}" for line in w.lines)
    return f"graph soup({inputs}) -> (%y) {{\n{body}\n}}\n"


RIGHT = {
    "as ACSNet has it": (Soup(), ["pads = [1, 1, 1, 1]"]),
    "without a mask": (Soup(mask=False), []),
    "row and column in turns": (Soup(interleaved=True), []),
    "stride 2": (Soup(size=7, stride=2), ["strides = [2, 2]"]),
    "dilation 2": (Soup(size=6, dilation=2, pad=2), ["dilations = [2, 2]"]),
    "2 x 2": (Soup(kernel=2), []),
    "offset from a convolution": (Soup(offset_from_conv=True), []),
}
WRONG = {
    "a place of one tap of one pixel": (Soup(moved_pixel=0.5), NOT_WHAT),
    "the width in the index": (Soup(width_off=-1), NOT_WHAT),
    "the lower bound of a clip": (Soup(top=1), NOT_WHAT),
    "the upper bound of a clip": (Soup(bottom_off=-1), NOT_WHAT),
    "the sign of a weight": (Soup(sign="Sub"), NOT_WHAT),
    "the order of the taps": (Soup(taps_transposed=True), NOT_WHAT),
    "no border of zeros": (Soup(kernel=2, pad=0), NOT_WHAT),
    "samples that are squared": (Soup(extra="Mul"), "no mask of one channel a tap"),
    "samples to which something is added": (Soup(extra="Add", mask=False), "depend on more than image, offset and mask"),
    "the last stride": (Soup(last_stride=2), None),
}


def run(sonoc, folder, *arguments):
    """Run sonoc in a folder; return what it prints and says."""
    done = subprocess.run([sonoc, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"sonoc {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout, done.stderr


def worst_difference(sonoc, folder, soup):
    """Run a soup as it is and raised, with offsets of several pixels; return the largest difference."""
    rng, bounds = np.random.default_rng(5), {"x": (-1, 1), "offset": (-4, 4), "mask": (0, 1)}
    inputs = {name: rng.uniform(*bounds[name], shape).astype(np.float32) for name, shape in input_shapes(soup).items()}
    np.savez(folder / "in.npz", **inputs)
    results = []
    for level in ("0", "2"):
        run(sonoc, folder, "run", "soup.sonoc", "--inputs=in.npz", "--outputs=out.npz", "--quiet", f"-O{level}")
        with np.load(folder / "out.npz") as file:
            results.append(file["y"].astype(np.float64))
    return np.max(np.abs(results[0] - results[1]))


def check(sonoc, name, soup, attributes, why):
    """Return what is wrong with what becomes of a soup; attributes None: it should stay, for the reason given."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "soup.sonoc").write_text(write_soup(soup))
        graph, said = run(sonoc, folder, "opt", "soup.sonoc", PASSES, "--remarks", "--quiet")
        node = next((line for line in graph.splitlines() if "DeformConv(" in line), None)
        if attributes is None:
            return ([f"{name}: became DeformConv"] if node else []) + (
                [f"{name}: not told: {why}"] if why and why not in said else [])
        if not node or "GatherElements" in graph or "Floor" in graph:
            return [f"{name}: stays\n{said}"]
        wrong = [f"{name}: {text} is not in {node}" for text in attributes if text not in node]
        difference = worst_difference(sonoc, folder, soup)
        return wrong + ([f"{name}: numbers differ by {difference:.2g}"] if difference > 2e-5 else [])


def main():
    """Check all soups."""
    parser = argparse.ArgumentParser(description="Check which soups become DeformConv.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc = parser.parse_args().sonoc.resolve()
    wrong = [w for name, (soup, attributes) in RIGHT.items() for w in check(sonoc, name, soup, attributes, None)]
    wrong += [w for name, (soup, why) in WRONG.items() for w in check(sonoc, name, soup, None, why)]
    print("\n".join(wrong) or f"{len(RIGHT)} soups raised, {len(WRONG)} left")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
