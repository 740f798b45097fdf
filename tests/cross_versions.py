"""Several plans in one C file, for x86-64-v2, v3 and v4."""

import re
import subprocess
from pathlib import Path

from cross_models import FOLDER, HARNESS, differences_in

VERSIONS = {2: "baseline", 3: "x86-64-v3", 4: "x86-64-v3"}  # of --target=multi, and whose bits they have


def best_version():
    """The highest of VERSIONS that this machine runs; 0: it is no x86."""
    flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text()))
    needs = {2: {"sse4_2"}, 3: {"avx2", "fma", "bmi2"}, 4: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}
    return max((version for version, need in needs.items() if need <= flags), default=0)


def check_versions(sonoc, model, form, compiler):
    """The versions in one file, each asked for by number, have the bits of their plans."""
    best = best_version()
    folder = FOLDER / f"versions-{model.name}"
    folder.mkdir(exist_ok=True)
    command = [sonoc, "compile", model.path, "-o", folder / "model.c", "--target=multi", f"--weights={form}",
               *model.options]
    subprocess.run([*command, "--quiet"], check=True)
    model.write_inputs(folder / "model.in")
    objects = ["model_weights.o"] if form == "object" else []
    strict = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*compiler, *strict, "-c", "model.c"], cwd=folder, check=True)
    subprocess.run(["gcc", "-O1", f"-I{HARNESS}", "-I.", HARNESS / "versions.c", "model.o", *objects, "-o", "versions"],
                   cwd=folder, check=True)
    chosen = int(subprocess.run([folder / "versions"], capture_output=True, text=True, check=True).stdout)
    wrong = [] if chosen == best else [f"{model.name}: version {chosen} is chosen, not {best}"]
    for version, target in VERSIONS.items():
        if version <= best:
            subprocess.run([folder / "versions", str(version)], cwd=folder, check=True)
            wrong += differences_in(f"version {version} of {model.name}", folder / "model.out",
                                    model.expected(sonoc, target))
    return wrong


def check_narrow_v4(sonoc, model, level):
    """The plan of version 4, compiled for a machine without its instructions."""
    folder = FOLDER / "narrow_v4"
    folder.mkdir(exist_ok=True)
    subprocess.run([sonoc, "compile", model.path, "-o", folder / "model.c", "--target=multi-v4", "--weights=object",
                    *model.options, "--quiet"], check=True)
    source = (folder / "model.c").read_text()
    (folder / "model.c").write_text(re.sub(r'GCC target\("avx512[^"]*"\)', 'GCC target("avx2,fma")', source))
    model.write_inputs(folder / "model.in")
    (folder / "main.c").write_text('#include "runner.h"\n#include "model.h"\nint main(void) {\n'
                                   "    RUN(model, MODEL);\n    return 0;\n}\n")
    subprocess.run(["gcc", level, f"-I{HARNESS}", "main.c", "model.c", "model_weights.o", "-o", "narrow"], cwd=folder,
                   check=True)
    subprocess.run(["./narrow"], cwd=folder, check=True)
    return differences_in("version 4 on 256 bits", folder / "model.out", model.expected(sonoc, "x86-64-v3"))


def check_threads(sonoc):
    """Several plans in one file, with every form of threads: it compiles without a warning, also as C++."""
    folder, wrong = FOLDER / "versions-threads", []
    folder.mkdir(exist_ok=True)
    for form in ("pthreads", "openmp", "callback"):
        subprocess.run([sonoc, "compile", HARNESS / "products.sonoc", "-o", folder / "model.c", "--target=multi",
                        f"--threads={form}", "--quiet"], check=True)
        for compiler in (["gcc", "-std=c11"], ["clang-19", "-std=c11"], ["g++", "-x", "c++"]):
            done = subprocess.run([*compiler, "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "model.c"],
                                  cwd=folder, capture_output=True, text=True)
            if done.returncode:
                wrong.append(f"versions with {form} under {compiler[0]}: {done.stderr[:400]}")
    return wrong


def check_multi(sonoc, models, level):
    """--target=multi; the first model, a large one, is compiled at a level of its own."""
    best = best_version()
    if best < 3:
        print("skipped: versions of x86-64: this machine has not x86-64-v3")
        return []
    if best < 4:
        print("skipped: version 4 in a file of several: this machine has no AVX-512")
    gcc, clang = ["gcc", "-O1"], ["clang-19", "-O1"]
    wrong = check_versions(sonoc, models[0], "object", ["gcc", level]) + check_narrow_v4(sonoc, models[0], level)
    wrong += check_threads(sonoc)
    for model, form, compiler in zip(models[1:], ["literal", "arrays", "incbin"], [clang, gcc, gcc]):
        wrong += check_versions(sonoc, model, form, compiler)
    print(f"{'versions of x86-64':32} {len(models)} models, {len(wrong)} wrong", flush=True)
    return wrong
