"""Tests of the command line itself: exit statuses, help, completion, files of tensors, outputs whole or absent.

    python tests/command_line.py --sonoc build/release/sonoc
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import traceback
import xml.etree.ElementTree
from pathlib import Path

import numpy as np

GRAPH = "graph g(%x: f32[2,3]) -> (%y) {\n    %y = Relu(%x) : f32[2,3]\n}\n"
TWO = """graph two(%x: f32[256,64]) -> (%y) {
    %w = constant f32[64,8] {WEIGHTS}
    %p = MatMul(%x, %w) : f32[256,8]
    %y = Softmax(%p) {axis = -1} : f32[256,8]
}
""".replace("WEIGHTS", ", ".join(str(i % 7) for i in range(64 * 8)))
X = np.array([[1, -2, 3], [-4, 5, -6]], np.float32)


def run(sonoc, folder, *arguments, status=0, **options):
    """Run sonoc in a folder, demand an exit status, return what it printed and said."""
    done = subprocess.run([sonoc, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == status, f"{arguments}: status {done.returncode}, not {status}: {done.stderr}"
    return done.stdout, done.stderr


def test_usage(sonoc, folder):
    """Wrong use gives status 2 and one line that says what."""
    wrong = [["dance"], ["run"], ["show", "a", "b"], ["show", "--no-such", "a"], ["run", "m.sonoc", "--backend=gpu"],
             ["run", "m.sonoc", "--seed"], ["run", "m.sonoc", "--seed=-1"], ["compile", "m.sonoc"],
             ["compile", "m.sonoc", "-o", "m.txt"], ["opt", "m.sonoc", "--passes=fly"],
             ["bench", "m.sonoc", "--runs=0"], ["profile", "m.sonoc"], ["show", "m.sonoc", "--dim", "batch=0"], ["verify", "m.sonoc", "--atol=none"], ["help", "dance"]]
    for arguments in wrong:
        printed, said = run(sonoc, folder, *arguments, status=2)
        assert not printed and len(said.splitlines()) == 1, said


def test_help(sonoc, folder):
    """Help, man page and completions know every command and option."""
    commands = ["compile", "run", "bench", "profile", "verify", "show", "opt", "ops", "passes", "bisect", "reduce"]
    overview, man = run(sonoc, folder, "--help")[0], run(sonoc, folder, "--man")[0]
    shells = {shell: run(sonoc, folder, f"--completion={shell}")[0] for shell in ("bash", "zsh", "fish")}
    for command in commands:
        text = run(sonoc, folder, command, "--help")[0]
        assert text == run(sonoc, folder, "help", command)[0] and command in overview and f".SS {command}" in man
        options = [word.split("=")[0].rstrip("[") for word in text.replace(",", " ").replace(";", " ").split() if word.startswith("--")]
        for option in options:
            assert option.replace("-", "\\-") in man, option
            assert option in shells["bash"] and option in shells["zsh"] and f"-l {option[2:]}" in shells["fish"], option
    subprocess.run(["bash", "-n"], input=shells["bash"], text=True, check=True)
    assert run(sonoc, folder, "--version")[0].startswith("sonoc ")


def test_tensor_files(sonoc, folder):
    """All forms of input files give the same; orders and byte orders of .npy are understood."""
    variants = {"c": X, "fortran": np.asfortranarray(X), "big": X.astype(">f4")}
    for name, array in variants.items():
        np.save(folder / f"{name}.npy", array)
    np.savez_compressed(folder / "in.npz", x=X, other=X)
    (folder / "in").mkdir()
    np.save(folder / "in/x.npy", X)
    for given in ["x=c.npy", "x=fortran.npy", "x=big.npy", "in.npz", "in"]:
        run(sonoc, folder, "run", "m.sonoc", "--inputs", given, "--outputs", "out.npz", "-q")
        assert np.array_equal(np.load(folder / "out.npz")["y"], np.maximum(X, 0)), given


def test_types(sonoc, folder):
    """Every element type goes in and out unchanged."""
    types = {"f16": "f2", "f32": "f4", "f64": "f8", "bool": "?"}
    types |= {f"{k}{8 * n}": f"{k}{n}" for k in "iu" for n in (1, 2, 4, 8)}
    for text, numpy_name in types.items():
        (folder / "t.sonoc").write_text(f"graph g(%x: {text}[3]) -> (%y) {{\n    %y = Identity(%x) : {text}[3]\n}}\n")
        x = np.array([1, 0, 1]).astype(numpy_name)
        np.savez(folder / "t.npz", x=x)
        run(sonoc, folder, "run", "t.sonoc", "-i", "t.npz", "--outputs", "out.npz", "-q")
        y = np.load(folder / "out.npz")["y"]
        assert y.dtype == x.dtype and np.array_equal(x, y), text


def test_hostile_tensor_files(sonoc, folder):
    """Broken .npy files are refused."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    right = np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little") + header + X.tobytes()
    (folder / "right.npy").write_bytes(right)
    run(sonoc, folder, "run", "m.sonoc", "--inputs", "x=right.npy")
    broken = [b"", right[:9], right[:30], right[:-1], right.replace(b"(2, 3)", b"(2, -3"),
              right.replace(b"(2, 3)", b"(9,9,9"), right.replace(b"<f4", b"<c8"), right.replace(b"NUMPY", b"NUMPI"),
              right.replace(b"'shape'", b"'descr'"), right.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
              right[:8] + b"\xff\xff" + right[10:]]
    for i, data in enumerate(broken):
        (folder / "broken.npy").write_bytes(data)
        _, said = run(sonoc, folder, "run", "m.sonoc", "--inputs", "x=broken.npy", status=3)
        assert "broken.npy" in said, (i, said)
    for size in ["99999999999999999999", "4611686018427387904, 4"]:
        (folder / "broken.npy").write_bytes(right.replace(b"(2, 3), }", f"({size})}}".encode()))
        run(sonoc, folder, "run", "m.sonoc", "--inputs", "x=broken.npy", status=3)


def test_wrong_inputs(sonoc, folder):
    """An absent input, a wrong shape or type is refused with its name."""
    for array, name in [(X, "z"), (X[:1], "x"), (X.astype(np.float64), "x")]:
        np.savez(folder / "wrong.npz", **{name: array})
        _, said = run(sonoc, folder, "run", "m.sonoc", "--inputs", "wrong.npz", status=3)
        assert "'x'" in said
    run(sonoc, folder, "run", "m.sonoc", "--inputs", "nowhere.npz", status=3)


def test_verify(sonoc, folder):
    """verify tells how far, where first, and gives 1 beyond the bound."""
    want = np.maximum(X, 0)
    np.savez(folder / "in.npz", x=X)
    np.savez(folder / "right.npz", y=want)
    want[1, 1] += 0.5
    np.savez(folder / "wrong.npz", y=want)
    verify = ["verify", "m.sonoc", "-i", "in.npz", "--json", "-e"]
    right = json.loads(run(sonoc, folder, *verify, "right.npz")[0])["outputs"][0]
    assert right["ok"] and right["differing"] == 0 and right["first"] == -1
    wrong = json.loads(run(sonoc, folder, *verify, "wrong.npz", status=1)[0])["outputs"][0]
    assert not wrong["ok"] and wrong["first"] == 4 and wrong["max_absolute"] == 0.5 and wrong["beyond"] == 1
    run(sonoc, folder, *verify, "wrong.npz", "--atol=0.5")
    run(sonoc, folder, *verify, "wrong.npz", "--rtol=0.1")
    run(sonoc, folder, "verify", "m.sonoc", "--backend=c", "--cc=cc -O0")


def test_outputs_are_whole(sonoc, folder):
    """compile writes all its files or none, and the same bytes each time."""
    (folder / "out").mkdir()
    run(sonoc, folder, "compile", "m.sonoc", "-o", "out/net.c")
    first = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    assert set(first) == {"net.c", "net.h"}
    run(sonoc, folder, "compile", "m.sonoc", "-o", "out/net.c")
    assert first == {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    (folder / "bad.sonoc").write_text(GRAPH.replace("Relu", "Relo"))
    run(sonoc, folder, "compile", "bad.sonoc", "-o", "out/bad.c", status=3)
    (folder / "out/held.h").mkdir()  # the second file cannot take its name
    run(sonoc, folder, "compile", "m.sonoc", "-o", "out/held.c", status=3)
    run(sonoc, folder, "compile", "m.sonoc", "-o", "nowhere/net.c", status=3)
    assert {path.name for path in (folder / "out").iterdir()} == {"net.c", "net.h", "held.h"}


def test_bench(sonoc, folder):
    """bench tells of runs and, if the backend can, of each kernel; hardware counters may be absent."""
    bench = ["bench", "two.sonoc", "--quiet", "--runs=3", "--warmup=1", "--cc=cc -O1"]
    figures = json.loads(run(sonoc, folder, *bench, "--json", "--counters")[0])
    ms = figures["ms"]
    assert figures["runs"] == 3 and 0 < ms["minimum"] <= ms["median"] <= ms["p90"] <= ms["maximum"]
    names = [k["name"] for k in figures["kernels"]]
    assert len(names) == len(set(names)) >= 2 and sum(k["share"] for k in figures["kernels"]) > 0.99
    assert figures["peak_gflops"] > 0 and figures["peak_gbytes"] > 0
    product = max(figures["kernels"], key=lambda k: k["multiply_adds"])
    assert product["multiply_adds"] == 256 * 64 * 8 and product["gflops"] > 0 and "MatMul" in product["from"]
    text = run(sonoc, folder, *bench)[0]
    assert "3 runs after 1" in text and all(name in text for name in names)
    if "jit|" in run(sonoc, folder, "bench", "--help")[0]:  # built with LLVM
        by_jit = json.loads(run(sonoc, folder, *bench, "--json", "--backend=jit")[0])
        assert [k["name"] for k in by_jit["kernels"]] == names
    whole = json.loads(run(sonoc, folder, *bench, "--json", "--backend=interp")[0])
    assert whole["kernels"] == [] and whole["ms"]["minimum"] > 0


def test_profile(sonoc, folder):
    """profile writes each kernel of each run into the trace, in order, and draws one run."""
    run(sonoc, folder, "profile", "two.sonoc", "-q", "--runs=2", "--cc=cc -O1", "-o", "t.json", "--svg=t.svg")
    events = json.loads((folder / "t.json").read_text())["traceEvents"]
    names = [e["name"] for e in events]
    half = len(names) // 2
    assert half >= 2 and names[:half] == names[half:] and [e["args"]["run"] for e in events] == [0] * half + [1] * half
    assert all(a["ts"] + a["dur"] <= b["ts"] + 0.001 for a, b in zip(events, events[1:]))
    texts = [t.text for t in xml.etree.ElementTree.parse(folder / "t.svg").iter("{http://www.w3.org/2000/svg}title")]
    assert [text.split(":")[0] for text in texts] == names[:half]
    run(sonoc, folder, "profile", "two.sonoc", "-q", "--cc=cc -O1", "-o", "nowhere/t.json", status=3)


def test_profile_threads(sonoc, folder):
    """Each thread that takes a part of a loop has a line of its own in the trace, within the kernel's time."""
    big = TWO.replace("f32[256,64]", "f32[4096,64]").replace("%p = MatMul(%x, %w) : f32[256,8]", "%p = MatMul(%x, %w)")
    (folder / "big.sonoc").write_text(big.replace("{axis = -1} : f32[256,8]", "{axis = -1}"))
    command = ["profile", "big.sonoc", "-q", "--runs=2", "--threads=3", "--cc=cc -O1"]
    run(sonoc, folder, *command, "-o", "t.json", "--svg=t.svg")
    events = json.loads((folder / "t.json").read_text())["traceEvents"]
    kernels = {(e["name"], e["args"]["run"]): e for e in events if e["tid"] == 1}
    parts = [e for e in events if e["tid"] > 1]
    assert {e["tid"] for e in parts} == {2, 3}
    for part in parts:
        kernel = kernels[part["name"], part["args"]["run"]]
        assert kernel["ts"] <= part["ts"] and part["ts"] + part["dur"] <= kernel["ts"] + kernel["dur"] + 0.001
    assert "3 threads" in (folder / "t.svg").read_text()


HOOKED = """
#include "net.h"
#include <stdio.h>
static void tell(void *context, int kernel) { printf("%s%d ", (const char *)context, kernel); }
int main(void) {
    static float x[256 * 64], y[256 * 8];
    struct net m;
    if (net_init(&m) || net_run(&m, x, y)) return 1;
    m.before_kernel = tell;
    m.profile_context = "k";
    return net_run(&m, x, y);
}
"""


def test_compile_profile(sonoc, folder):
    """A run of C with --profile calls the caller's function before each kernel and at the end, if there is one."""
    run(sonoc, folder, "compile", "two.sonoc", "-o", "net.c")
    assert "before_kernel" not in (folder / "net.c").read_text() + (folder / "net.h").read_text()
    report = run(sonoc, folder, "compile", "two.sonoc", "-o", "net.c", "--profile", "--json")[0]
    kernels = len(json.loads(report)["kernels"])
    (folder / "main.c").write_text(HOOKED)
    subprocess.run(["cc", "-O1", "main.c", "net.c", "-o", "net"], cwd=folder, check=True)
    said = subprocess.run(["./net"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert said.split() == [f"k{i}" for i in range(kernels + 1)], said


LARGE = """graph large(%x: f32[1,24,256,256]) -> (%y) {
    %a = AveragePool(%x) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}
    %y = MaxPool(%a) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}
}
"""
PAGES = """#include "large.h"
#include <stdio.h>
static float x[24 << 16], y[24 << 16];
int main(void) {
    struct large m;
    if (large_init(&m) || large_run(&m, x, y)) return 1;
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[256];
    long huge = 0, part;
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "AnonHugePages: %ld", &part) == 1) huge += part;
    printf("%ld", huge);
    return 0;
}
"""


def test_large_pages(sonoc, folder):
    """A large static arena lies in large pages where Linux gives some; a caller is told to ask for them."""
    (folder / "large.sonoc").write_text(LARGE)
    (folder / "main.c").write_text(PAGES)
    run(sonoc, folder, "compile", "large.sonoc", "-o", "large.c")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1"]
    subprocess.run(["cc", *flags, "main.c", "large.c", "-o", "large"], cwd=folder, check=True)
    huge = int(subprocess.run(["./large"], cwd=folder, check=True, capture_output=True, text=True).stdout)
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if setting.exists() and "[never]" not in setting.read_text() and platform.machine() in ("x86_64", "aarch64"):
        assert huge >= 4096, f"{huge} kB in large pages"
    else:
        print("skipped: command_line.large_pages: this system has none")
    run(sonoc, folder, "compile", "large.sonoc", "-o", "large.c", "--arena=caller")
    assert "MADV_HUGEPAGE" in (folder / "large.h").read_text() and "large_pages" not in (folder / "large.c").read_text()
    run(sonoc, folder, "compile", "two.sonoc", "-o", "net.c")
    assert "large_pages" not in (folder / "net.c").read_text()


def test_json(sonoc, folder):
    """Whatever prints figures prints them as JSON, too."""
    np.savez(folder / "in.npz", x=X)
    shown = json.loads(run(sonoc, folder, "show", "m.sonoc", "--json")[0])
    assert shown["operators"] == {"Relu": 1} and shown["inputs"][0]["dims"] == [2, 3]
    ran = json.loads(run(sonoc, folder, "run", "m.sonoc", "-i", "in.npz", "--json")[0])
    assert ran["outputs"][0]["most"] == 5
    assert any(op["name"] == "Conv" for op in json.loads(run(sonoc, folder, "ops", "--json")[0]))
    report = json.loads(run(sonoc, folder, "compile", "m.sonoc", "-o", "net.c", "--json")[0])
    assert len(report["kernels"]) == 1
    assert json.loads(run(sonoc, folder, "passes", "--json")[0])["passes"][0]["name"] == "infer"


def test_full_disk(sonoc, folder):
    """Output that cannot be written is told."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([sonoc, "ops"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3 and "cannot be written" in done.stderr


def main():
    """Run every test in a folder of its own."""
    parser = argparse.ArgumentParser(description="Test the command line.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc = parser.parse_args().sonoc.resolve()
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    failed = 0
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "m.sonoc").write_text(GRAPH)
            (Path(folder) / "two.sonoc").write_text(TWO)
            try:
                test(sonoc, Path(folder))
            except Exception:
                failed += 1
                print(f"{test.__name__}: {traceback.format_exc()}")
    print(f"{len(tests)} tests, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
