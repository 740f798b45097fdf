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
    def out(self):
        """How large the result is."""
        return (self.size + 2 * self.pad - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


def write_soup(soup):
    """Write a soup as a graph in text."""
    lines, taps, out = [], soup.kernel**2, soup.out
    padded = soup.size + 2 * soup.pad

    def constant(name, values, dtype="f32"):
        values = np.asarray(values)
        kind = float if dtype == "f32" else int
        parts = [values.reshape(-1)[i : i + 16] for i in range(0, values.size, 16)]
        shape = list(values.shape)
        for i, part in enumerate(parts):  # a longer constant is told by its hash alone
            text = ", ".join(str(kind(v)) for v in part)
            lines.append(f"%{name}_{i} = constant {dtype}[{len(part)}] {{{text}}}")
        joined = ", ".join(f"%{name}_{i}" for i in range(len(parts)))
        lines.append(f"%{name}_all = Concat({joined}) {{axis = 0}}")
        lines.append(f"%{name}_shape = constant i64[{len(shape)}] {{{', '.join(map(str, shape))}}}")
        lines.append(f"%{name} = Reshape(%{name}_all, %{name}_shape)")

    def add(name, op, *operands, **attributes):
        settings = ", ".join(f'{k} = {v}' for k, v in attributes.items())
        operands = ", ".join(f"%{v}" if v != "_" else v for v in operands)
        lines.append(f"%{name} = {op}({operands})" + (f" {{{settings}}}" if settings else ""))

    def reshape(name, x, *dims):
        lines.append(f"%{name}_to = constant i64[{len(dims)}] {{{', '.join(map(str, dims))}}}")
        add(name, "Reshape", x, f"{name}_to")

    tap_row, tap_column = np.divmod(np.arange(taps), soup.kernel) if not soup.taps_transposed else np.divmod(
        np.arange(taps).reshape(soup.kernel, soup.kernel).T.reshape(-1), soup.kernel)
    row, column = np.meshgrid(np.arange(out), np.arange(out), indexing="ij")
    rows = tap_row[:, None, None] * soup.dilation + row[None] * soup.stride
    columns = tap_column[:, None, None] * soup.dilation + column[None] * soup.stride
    both = np.stack([rows, columns], 1).reshape(1, 2 * taps, out, out) if soup.interleaved else np.concatenate(
        [rows, columns])[None]
    both = both.astype(float)
    both[0, -1, -1, -1] += soup.moved_pixel
    constant("places", both)
    offset = "offset"
    if soup.offset_from_conv:
        constant("ow", np.linspace(-1, 1, 2 * taps * 2).reshape(2 * taps, 2, 1, 1))
        constant("ob", np.linspace(-2, 2, 2 * taps))
        add("made", "Conv", "offset", "ow", "ob")
        offset = "made"
    add("place", "Add", "places", offset)
    add("last", "Transpose", "place", perm="[0, 2, 3, 1]")
    for half, first in (("row", 0), ("column", 1)):
        picked = np.arange(taps) * 2 + first if soup.interleaved else np.arange(taps) + first * taps
        constant(f"{half}_channels", picked, "i64")
        add(f"{half}", "Gather", "last", f"{half}_channels", axis=3)
    lines.append(f"%low = constant f32[] {{{float(soup.top)}}}")
    lines.append(f"%high = constant f32[] {{{padded - 1 + float(soup.bottom_off)}}}")
    lines.append("%one = constant f32[] {1.0}")
    lines.append(f"%stretch = constant f32[] {{{float(padded + soup.width_off)}}}")
    for half in ("row", "column"):
        add(f"{half}_floor", "Floor", half)
        add(f"{half}_next", "Add", f"{half}_floor", "one")
        add(f"{half}_at", "Clip", half, "low", "high")
        for end, source in (("0", "floor"), ("1", "next")):
            add(f"{half}{end}", "Clip", f"{half}_{source}", "low", "high")
            add(f"{half}{end}_far", "Sub", f"{half}{end}", f"{half}_at")
        add(f"{half}0_near", soup.sign if half == "column" else "Add", "one", f"{half}0_far")
        add(f"{half}1_near", "Sub", "one", f"{half}1_far")
    pads = [0, 0, soup.pad, soup.pad] * 2
    lines.append(f"%pads = constant i64[8] {{{', '.join(map(str, pads))}}}")
    add("padded", "Pad", "x", "pads")
    reshape("flat", "padded", 1, 2, padded * padded)
    lines.append(f"%wide = constant i64[3] {{1, 2, {out * out * taps}}}")
    for r, c in ("00", "11", "10", "01"):
        k = r + c
        add(f"down{k}", "Mul", f"row{r}", "stretch")
        add(f"index{k}", "Add", f"down{k}", f"column{c}")
        add(f"whole{k}", "Cast", f"index{k}", to=7)
        reshape(f"line{k}", f"whole{k}", 1, 1, out * out * taps)
        add(f"lines{k}", "Expand", f"line{k}", "wide")
        add(f"read{k}", "GatherElements", "flat", f"lines{k}", axis=2)
        reshape(f"value{k}", f"read{k}", 1, 2, out, out, taps)
        add(f"near{k}", "Mul", f"row{r}_near", f"column{c}_near")
        reshape(f"weight{k}", f"near{k}", 1, 1, out, out, taps)
        add(f"part{k}", "Mul", f"value{k}", f"weight{k}")
    add("sum2", "Add", "part00", "part11")
    add("sum3", "Add", "sum2", "part10")
    add("values", "Add", "sum3", "part01")
    values = "values"
    if soup.mask:
        add("mask_last", "Transpose", "mask", perm="[0, 2, 3, 1]")
        reshape("mask_flat", "mask_last", 1, 1, out, out, taps)
        add("masked", "Mul", "values", "mask_flat")
        values = "masked"
    reshape("six", values, 1, 2, out, out, soup.kernel, soup.kernel)
    add("laid", "Transpose", "six", perm="[0, 1, 2, 4, 3, 5]")
    reshape("image", "laid", 1, 2, out * soup.kernel, out * soup.kernel)
    image = "image"
    if soup.extra:
        add("changed", soup.extra, "image", "bias_map" if soup.extra == "Add" else "image")
        image = "changed"
    constant("w", np.linspace(-1, 1, 2 * 2 * taps).reshape(2, 2, soup.kernel, soup.kernel))
    step = soup.last_stride or soup.kernel
    add("y", "Conv", image, "w", strides=f"[{step}, {step}]")
    channels = 2 if soup.offset_from_conv else 2 * taps
    inputs = [f"%x: f32[1,2,{soup.size},{soup.size}]", f"%offset: f32[1,{channels},{out},{out}]",
              f"%mask: f32[1,{taps},{out},{out}]"]
    if soup.extra == "Add":
        inputs.append(f"%bias_map: f32[1,2,{out * soup.kernel},{out * soup.kernel}]")
    body = "\n".join(f"    {line}" for line in lines)
    return f"graph soup({', '.join(inputs)}) -> (%y) {{\n{body}\n}}\n"


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
    rng, out = np.random.default_rng(5), soup.out
    channels = 2 if soup.offset_from_conv else 2 * soup.kernel**2
    np.savez(folder / "in.npz", x=rng.uniform(-1, 1, (1, 2, soup.size, soup.size)).astype(np.float32),
             offset=rng.uniform(-4, 4, (1, channels, out, out)).astype(np.float32),
             mask=rng.uniform(0, 1, (1, soup.kernel**2, out, out)).astype(np.float32))
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
