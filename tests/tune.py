"""Tests of --tune and --choices: what is measured is written down, and what is written gives the same bytes again.

    python tests/tune.py --sonoc build/release/sonoc
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

GRAPH = """graph net(%x: f32[1,16,20,18]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {2304}
    %one = constant f32[] {1}
    %shape = constant i64[4] {16, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %a = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %b = Conv(%a, %w) {pads = [1, 1, 1, 1]}
    %y = Conv(%b, %w) {strides = [2, 2]}
}
"""
ALIKE = "Conv(f32[1,16,20,18], constant f32[16,16,3,3]) pads=[1,1,1,1]"
STRIDED = "Conv(f32[1,16,20,18], constant f32[16,16,3,3]) strides=[2,2]"
VARIANTS = {ALIKE: {"product", "product-4x3", "winograd-4-few", "winograd-4"}, STRIDED: {"product", "product-4x3"}}


def run(sonoc, folder, *arguments, status=0):
    """Run sonoc; return what it prints and says."""
    done = subprocess.run([sonoc, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stderr}"
    return done.stdout, done.stderr


def read_choices(path):
    """The variant of each node in a file of choices, and the variants that were measured."""
    found = re.findall(r"^(\w+\(.*): ([\w-]+)  # ms: (.*)$", path.read_text(), re.M)
    return {node: (variant, dict(item.split(" ", 1) for item in times.split(", "))) for node, variant, times in found}


def test_tune(sonoc, folder):
    """Every possible variant is measured, the fastest is taken, nodes that are alike share a line."""
    printed, _ = run(sonoc, folder, "compile", "net.sonoc", "-o", "net.c", "--tune=net.choices", "--tune-seconds=30", "--json")
    chosen = read_choices(folder / "net.choices")
    assert {node: set(times) for node, (_, times) in chosen.items()} == VARIANTS, chosen
    for node, (variant, times) in chosen.items():
        assert float(times[variant]) <= 1.03 * min(map(float, times.values())), chosen
    taken = [(k["node"], k["variant"]) for k in json.loads(printed)["kernels"] if "variant" in k]
    assert taken == [(node, chosen[node][0]) for node in (ALIKE, ALIKE, STRIDED)], taken


def test_reproduced(sonoc, folder):
    """The file gives the C file again, byte for byte, and other commands the same bits."""
    first = (folder / "net.c").read_bytes()
    run(sonoc, folder, "compile", "net.sonoc", "-o", "net.c", "--choices=net.choices")
    assert (folder / "net.c").read_bytes() == first
    run(sonoc, folder, "run", "net.sonoc", "--choices=net.choices", "--outputs=a.npz", "-q")
    run(sonoc, folder, "run", "net.sonoc", "--choices=net.choices", "--outputs=b.npz", "-q", "--backend=interp")
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()


def write_choice(folder, variant):
    """A file of one choice."""
    (folder / "one.choices").write_text(f"target x86-64-v3\n{ALIKE}: {variant}\n")


def test_edited(sonoc, folder):
    """Another choice is another program; the cache tells files of one name apart."""
    results = []
    for variant in ("product", "winograd-4", "product"):
        write_choice(folder, variant)
        run(sonoc, folder, "run", "net.sonoc", "--choices=one.choices", "--outputs=out.npz", "-q")
        with np.load(folder / "out.npz") as file:
            results.append(file["y"].copy())
    assert np.array_equal(results[0], results[2]) and not np.array_equal(results[0], results[1])
    assert np.allclose(results[0], results[1], atol=1e-3)


def test_exactness(sonoc, folder):
    """What rounds otherwise is neither measured nor taken where bits must stay."""
    run(sonoc, folder, "run", "net.sonoc", "--tune=bit.choices", "--exactness=bit", "-q")
    assert {v for _, times in read_choices(folder / "bit.choices").values() for v in times} == {"product", "product-4x3"}


def test_time_is_over(sonoc, folder):
    """Without time nothing is measured, which is told, and nothing is written but the target."""
    _, said = run(sonoc, folder, "run", "net.sonoc", "--tune=none.choices", "--tune-seconds=0")
    assert "0 of 4 rounds were measured" in said, said
    assert not read_choices(folder / "none.choices")
    run(sonoc, folder, "run", "net.sonoc", "--choices=none.choices", "-q")


def test_show(sonoc, folder):
    """`show` tells the variant of each kernel."""
    write_choice(folder, "winograd-4-few")
    printed, _ = run(sonoc, folder, "show", "net.sonoc", "--choices=one.choices")
    assert printed.count("  winograd-4-few ") == 2, printed
    printed, _ = run(sonoc, folder, "show", "net.sonoc", "--choices=one.choices", "--json")
    assert [v["variant"] for v in json.loads(printed)["variants"]][:2] == ["winograd-4-few"] * 2


def test_usage(sonoc, folder):
    """Both options at once, a file that cannot be read, one that cannot be written."""
    run(sonoc, folder, "run", "net.sonoc", "--tune=a", "--choices=b", status=2)
    _, said = run(sonoc, folder, "run", "net.sonoc", "--choices=absent", "--no-cache", status=3)
    assert "absent: No such file or directory" in said, said
    _, said = run(sonoc, folder, "run", "net.sonoc", "--tune=absent/file", "--tune-seconds=0", status=3)
    assert "absent/file cannot be written" in said, said


def main():
    """Run all tests in one folder, in their order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc = parser.parse_args().sonoc.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = name
        (folder / "net.sonoc").write_text(GRAPH)
        for test_name, test in list(globals().items()):
            if test_name.startswith("test_"):
                test(sonoc, folder)
                print(f"{test_name}: ok")


if __name__ == "__main__":
    sys.exit(main())
