"""Tests libsonoc: the C tests of tests/library/ on models made here, what the files show, and how they are found.

    python tests/library.py --build build/release
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs/examples"


def run(*command, **options):
    """Run a command that should succeed; return what it printed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def write_models(folder):
    """Write small.onnx, outside.onnx with its weights in a file of their own, and plugin.so."""
    weights = np.random.default_rng(1).standard_normal((64, 64), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Relu", ["p"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (4, 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 64))],
        [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / "small.onnx")
    onnx.save(model, folder / "outside.onnx", save_as_external_data=True, location="outside.data", size_threshold=0)
    run("cc", "-shared", "-fPIC", "-I", ROOT / "custom_ops", "-o", folder / "plugin.so",
        ROOT / "examples/custom_op/soft_threshold.c")


def test_c(build, folder):
    """The C tests."""
    write_models(folder)
    print(run(build / "tests/library_api", folder), end="")
    run(build / "tests/library_threads")


def test_kept(build, folder):
    """Compiled models that are kept."""
    write_models(folder)
    print(run(build / "tests/library_kept", folder), end="")


def test_cache_command(build, folder):
    """`sonoc cache` lists and clears what `sonoc run` keeps; --no-cache keeps nothing."""
    write_models(folder)
    there = {"env": os.environ | {"XDG_CACHE_HOME": str(folder / "caches")}, "cwd": folder}
    sonoc, kept = build / "sonoc", ["run", "small.onnx", "--backend=c", "--cc=cc -O0", "-q"]
    assert json.loads(run(sonoc, "cache", "list", "--json", **there))["entries"] == []
    run(sonoc, *kept, "--no-cache", **there)
    assert run(sonoc, "cache", "list", **there).split()[:2] == ["0", "bytes"]
    first, again = (run(sonoc, *kept, "--json", **there) for _ in range(2))
    assert json.loads(first)["outputs"] == json.loads(again)["outputs"]
    entries = json.loads(run(sonoc, "cache", "list", "--json", **there))["entries"]
    assert len(entries) == 1 and entries[0]["label"].startswith("small.onnx: c -O2"), entries
    run(sonoc, *kept, "--print-after=dead", **there)  # who wants to see passes sees them
    run(sonoc, *kept, "-O1", "--cache-bytes=20K", **there)  # too small for anything
    assert run(sonoc, "cache", "clear", **there) == "1 removed\n"
    assert json.loads(run(sonoc, "cache", "list", "--json", **there))["entries"] == []
    wrong = subprocess.run([sonoc, "cache", "dance"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "list or clear" in wrong.stderr


def test_symbols(build, folder):
    """Both forms of the library show what sonoc.h declares, and nothing else."""
    declared = {word.split("(")[0].lstrip("*") for word in (ROOT / "runtime/sonoc.h").read_text().split()
                if word.lstrip("*").startswith("sonoc_") and "(" in word}
    for name, dynamic in (("libsonoc.so", "-D"), ("libsonoc.a", "-g")):
        lines = run("nm", dynamic, "--defined-only", build / name).splitlines()
        shown = {line.split()[2] for line in lines if len(line.split()) == 3}
        assert shown and shown <= declared, f"{name} shows {sorted(shown - declared)}"
        assert len(shown) > 15, f"{name} shows only {sorted(shown)}"


def test_headers(build, folder):
    """Each public header stands alone, in C and in C++."""
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", ROOT / "runtime", "-I", ROOT / "custom_ops"]
    for header in ("sonoc.h", "sonoc_op.h"):
        text = f"#include <{header}>\nint main() {{ return 0; }}\n"
        if header == "sonoc.h":
            text = text.replace("{ return", "{ struct sonoc_options o = SONOC_OPTIONS; return (int)o.threads; return")
        for compiler, language in (("cc", "c"), ("c++", "c++")):
            standard = "-std=c11" if language == "c" else "-std=c++17"
            run(compiler, standard, *flags, "-fsyntax-only", "-x", language, "-", input=text)


def use_installed(program, prefix, folder):
    """Run a program that was built against the installed library."""
    path = os.pathsep.join(str(p) for p in prefix.rglob("lib*") if p.is_dir())
    said = run(program, folder / "small.onnx", env=os.environ | {"LD_LIBRARY_PATH": path})
    assert "y: 256 elements" in said, said


def test_installed(build, folder):
    """The example builds against the installed library as pkg-config and find_package tell it, shared and static."""
    write_models(folder)
    prefix = folder / "prefix"
    run("cmake", "--install", build, "--prefix", prefix)
    moved = folder / "elsewhere"
    shutil.move(prefix, moved)
    found = os.environ | {"PKG_CONFIG_PATH": str(next(moved.rglob("sonoc.pc")).parent)}
    source, program = EXAMPLES / "use_library.c", folder / "program"
    words = run("pkg-config", "--cflags", "--libs", "sonoc", env=found).split()
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", source, *words, "-o", program)
    use_installed(program, moved, folder)
    words = run("pkg-config", "--static", "--cflags", "--libs", "sonoc", env=found).split()
    words = [str(next(moved.rglob("libsonoc.a"))) if word == "-lsonoc" else word for word in words]
    run("cc", source, *words, "-o", program)
    assert "libsonoc" not in run("ldd", program)
    use_installed(program, moved, folder)
    for target in ("sonoc", "sonoc_static"):
        (folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(use C)\nfind_package(sonoc 0.1 REQUIRED)\n"
            f"add_executable(use {source})\ntarget_link_libraries(use sonoc::{target})\n")
        run("cmake", "-S", folder, "-B", folder / target, f"-DCMAKE_PREFIX_PATH={moved}")
        run("cmake", "--build", folder / target)
        use_installed(folder / target / "use", moved, folder)


def main():
    """Run every test in a folder of its own."""
    parser = argparse.ArgumentParser(description="Test libsonoc.")
    parser.add_argument("--build", required=True, type=Path)
    build, failed = parser.parse_args().build.resolve(), 0
    for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
        try:
            with tempfile.TemporaryDirectory() as folder:
                test(build, Path(folder))
            print(f"ok {name}")
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
