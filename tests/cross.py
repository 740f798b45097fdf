"""Compiles generated C for other machines, runs it in emulators, and compares the bits with the interpreter's.

    python tests/cross.py --sonoc build/release/sonoc [--machines aarch64,s390x] [--all]

Models: a sample of ONNX's node cases and of random graphs (--all: all cases, 200 graphs), and the narrow ACSNet on a
small image. Each is compiled for the machine's own target, and some for others: a plan with fma where there is no such
instruction, a plan made for x86 elsewhere. A machine whose compiler or emulator is missing is reported as skipped.
"""

import argparse
import re
import shutil
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from acsnet import WEIGHTS, export
from onnx_nodes import find_operators, is_narrow, load_cases, write_case
from run import random_inputs

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build/cross"
HARNESS = Path(__file__).parent / "cross"
GRAPHS = 12  # random graphs in the sample
ALL_GRAPHS = 200
FORMS = ["literal", "arrays", "incbin", "object", "file"]  # of weights, in turn
MACHINES = {  # name: compiler, its options, emulator
    "aarch64": ("aarch64-linux-gnu-gcc", ["-O2"], ["qemu-aarch64"]),
    "riscv64": ("riscv64-linux-gnu-gcc", ["-O2"], ["qemu-riscv64"]),
    "s390x": ("s390x-linux-gnu-gcc", ["-O2", "-march=z14"], ["qemu-s390x"]),
    "i686": ("i686-linux-gnu-gcc", ["-O2", "-msse2", "-mfpmath=sse"], ["qemu-i386"]),
}
FOREIGN = {  # machine: targets whose plans it runs as well, and what the compiler then needs
    "aarch64": [("x86-64-v3", [])],
    "s390x": [("x86-64-v3", [])],
    "i686": [("x86-64-v3", ["-DSOFTWARE_FMA"])],
}


class Model:
    """A model with its inputs, in a folder of its own."""

    def __init__(self, name, path, inputs, options=()):
        self.name, self.path, self.inputs, self.options = name, path, inputs, list(options)

    def expected(self, sonoc, target, folder):
        """Bits of the interpreter's outputs for a target's plan; None: sonoc refuses the model."""
        out = folder / f"{self.name}.npz"
        given = ["--inputs", self.inputs] if self.inputs else []
        command = [sonoc, "run", self.path, *given, *self.options, f"--target={target}", "--outputs", out, "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 3 or done.returncode == 4:
            return None
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr}")
        with np.load(out) as file:
            return {name: file[name] for name in file.files}


def write_inputs(path, arrays):
    """Write tensors as the harness reads them."""
    path.write_bytes(b"".join(np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays))


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
        yield Model(case.name, folder / "model.onnx", folder), arrays


def random_models(maker, count):
    """Random graphs, seeds from 1."""
    for seed in range(1, count + 1):
        text = subprocess.run([maker, "print", str(seed)], capture_output=True, text=True, check=True).stdout
        folder = FOLDER / "models" / f"random_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.sonoc").write_text(text)
        inputs = random_inputs(text, np.random.default_rng(seed))
        np.savez(folder / "in.npz", **inputs)
        yield Model(f"random_{seed}", folder / "model.sonoc", folder / "in.npz"), list(inputs.values())


def acsnet_model():
    """The narrow ACSNet on an image of 64 x 64."""
    folder = export(8, WEIGHTS, ["ts17"], 64)
    with np.load(folder / "acsnet8_reference.npz") as file:
        image = file["image"]
    np.savez(folder / "in.npz", image=image)
    return Model("acsnet", folder / "acsnet8_ts17.onnx", folder / "in.npz"), [image]


def same_bits(got, want):
    """Are two arrays the same bits, but for those of a NaN?"""
    if want.dtype.kind == "f":
        nan = np.isnan(want)
        if not np.array_equal(nan, np.isnan(got)):
            return False
        return got[~nan].tobytes() == want[~nan].tobytes()
    return got.tobytes() == want.tobytes()


class Build:
    """Models compiled with one compiler for one target, in one program."""

    def __init__(self, sonoc, machine, target, extra):
        self.sonoc, self.target = sonoc, target
        self.compiler, options, self.emulator = MACHINES[machine]
        self.options = [*options, *extra]
        self.name = machine if machine == target else f"{machine}, plan for {target}"
        self.folder = FOLDER / f"{machine}-{target}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def forms(self):
        """Of weights: all but arrays are in the byte order and the object format of the target."""
        return FORMS if self.name == self.target else ["arrays"]

    def add(self, item):
        """Compile a model; return (model, expected outputs, line of the program), or None where sonoc refuses it."""
        number, (model, arrays) = item
        want = model.expected(self.sonoc, self.target, self.folder)
        if want is None:
            return None
        form = self.forms()[number % len(self.forms())]
        source = self.folder / f"{model.name}.c"
        command = [self.sonoc, "compile", model.path, "-o", source, f"--target={self.target}", f"--weights={form}"]
        subprocess.run([*command, *model.options, "--quiet"], check=True)
        level = ["-O1"] if model.name == "acsnet" else []  # it takes long
        done = subprocess.run([self.compiler, *self.options, *level, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-c",
                               source.name], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {model.name}: {done.stderr}")
        write_inputs(self.folder / f"{model.name}.in", arrays)
        call = "RUN_FILE" if form == "file" else "RUN"
        return model, want, f"    {call}({model.name}, {model.name.upper()});\n"

    def link_and_run(self, built):
        """Run all models; yield what is wrong."""
        main = '#include "runner.h"\n' + "".join(f'#include "{model.name}.h"\n' for model, _, _ in built)
        main += "int main(void) {\n" + "".join(line for _, _, line in built) + "    return 0;\n}\n"
        (self.folder / "main.c").write_text(main)
        objects = sorted(path.name for path in self.folder.glob("*.o"))
        subprocess.run([self.compiler, *self.options, f"-I{HARNESS}", "-static", "-o", "all", "main.c", *objects],
                       cwd=self.folder, check=True)
        done = subprocess.run([*self.emulator, "./all"], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            yield f"{self.name}: exit status {done.returncode}: {done.stderr}"
        for model, want, _ in built:
            yield from compare(f"{self.name}: {model.name}", self.folder / f"{model.name}.out", want)


def compare(who, path, want):
    """Yield the outputs in a file of the harness that differ from what is expected."""
    bits = path.read_bytes() if path.exists() else b""
    if len(bits) != sum(value.nbytes for value in want.values()):
        yield f"{who}: {len(bits)} bytes of outputs"
        return
    at = 0
    for name, value in want.items():
        got = np.frombuffer(bits, value.dtype.newbyteorder("<"), value.size, at).astype(value.dtype)
        at += value.nbytes
        if not same_bits(got.reshape(value.shape), value):
            yield f"{who}: {name} has other bits than the interpreter's"


def check_build(build, models, pool):
    """Compile, run and compare; return what is wrong and how many models ran."""
    built = [item for item in pool.map(build.add, enumerate(models)) if item]
    wrong = list(build.link_and_run(built))
    print(f"{build.name:32} {len(built)} models, {len(wrong)} wrong", flush=True)
    return wrong, len(built)


def compile_products(sonoc, target):
    """The C of a small product of matrices, float32 and float64."""
    folder = FOLDER / "products"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sonoc, "compile", HARNESS / "products.sonoc", "-o", folder / "products.c", f"--target={target}",
                    "--quiet"], check=True)
    return folder


def check_software_fma(sonoc):
    """The software fma gives the bits of the C library's."""
    folder = compile_products(sonoc, "cortex-m4f")
    subprocess.run(["gcc", "-O2", "-DSOFTWARE_FMA", f"-I{folder}", HARNESS / "fma.c", "-o", "fma", "-lm"], cwd=folder,
                   check=True)
    done = subprocess.run([folder / "fma"], capture_output=True, text=True)
    print("software fma                     compared with the C library's", flush=True)
    return [f"software fma: {line}" for line in done.stdout.splitlines() or ["nothing was tested"] if done.returncode]


REFUSED = [  # target, compiler and options, what the compiler says
    ("i686", ["i686-linux-gnu-gcc", "-mno-sse"], "float must be computed in float"),
    ("i686", ["i686-linux-gnu-gcc", "-msse2"], "float must be computed in float"),
    ("x86-64-v3", ["i686-linux-gnu-gcc", "-msse2", "-mfpmath=sse"], "this plan needs a fused multiply-add"),
    ("cortex-m4f", ["gcc"], "this plan needs a fused multiply-add"),
    ("baseline", ["gcc", "-ffast-math"], "compile without -ffast-math"),
    ("s390x", ["s390x-linux-gnu-gcc", "-std=c11"], "float must be computed in float"),
    ("x86-64-v3", ["s390x-linux-gnu-gcc"], "the weights are little-endian"),
    ("s390x", ["gcc", "-mfma"], "the weights are big-endian"),
]


def check_refusals(sonoc):
    """What would give other bits does not compile."""
    wrong = []
    weights = FOLDER / "weights.sonoc"
    weights.write_text("graph w(%x: f32[2,4]) -> (%y) {\n    %w = constant f32[4,2] {1, 2, 3, 4, 5, 6, 7, 8}\n"
                       "    %y = MatMul(%x, %w)\n}\n")
    for target, command, want in REFUSED:
        if not shutil.which(command[0]):
            print(f"skipped: {' '.join(command)}: not found")
            continue
        source = FOLDER / "weights.c"
        subprocess.run([sonoc, "compile", weights, "-o", source, f"--target={target}", "--quiet"], check=True)
        done = subprocess.run([*command, "-c", source, "-o", "/dev/null"], capture_output=True, text=True)
        if done.returncode == 0 or want not in done.stderr:
            wrong.append(f"{target} with {' '.join(command)} should say '{want}', says: {done.stderr[:300]}")
    print(f"{'refusals':32} {len(REFUSED)} tried, {len(wrong)} wrong", flush=True)
    return wrong


VERSIONS = {2: "baseline", 3: "x86-64-v3", 4: "x86-64-v3"}  # of --target=multi, and whose bits they have


def best_version():
    """The highest of VERSIONS that this machine runs; 0: it is no x86."""
    flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text()))
    needs = {2: {"sse4_2"}, 3: {"avx2", "fma", "bmi2"}, 4: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}
    return max((version for version, need in needs.items() if need <= flags), default=0)


def check_versions(sonoc, item, form, compiler):
    """The versions in one file, each asked for by number, have the bits of their plans."""
    (model, arrays), best = item, best_version()
    folder = FOLDER / f"versions-{model.name}"
    folder.mkdir(exist_ok=True)
    command = [sonoc, "compile", model.path, "-o", folder / "model.c", "--target=multi", f"--weights={form}"]
    subprocess.run([*command, "--quiet"], check=True)
    write_inputs(folder / "model.in", arrays)
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
            wrong += compare(f"version {version} of {model.name}", folder / "model.out",
                             model.expected(sonoc, target, folder))
    return wrong


def check_narrow_v4(sonoc, item):
    """The plan of version 4, compiled for a machine without its instructions."""
    model, arrays = item
    folder = FOLDER / "narrow_v4"
    folder.mkdir(exist_ok=True)
    subprocess.run([sonoc, "compile", model.path, "-o", folder / "model.c", "--target=multi-v4", "--weights=object",
                    "--quiet"], check=True)
    source = (folder / "model.c").read_text()
    (folder / "model.c").write_text(re.sub(r'GCC target\("avx512[^"]*"\)', 'GCC target("avx2,fma")', source))
    write_inputs(folder / "model.in", arrays)
    (folder / "main.c").write_text('#include "runner.h"\n#include "model.h"\nint main(void) {\n'
                                   "    RUN(model, MODEL);\n    return 0;\n}\n")
    subprocess.run(["gcc", "-O1", f"-I{HARNESS}", "main.c", "model.c", "model_weights.o", "-o", "narrow"], cwd=folder,
                   check=True)
    subprocess.run(["./narrow"], cwd=folder, check=True)
    return list(compare("version 4 on 256 bits", folder / "model.out", model.expected(sonoc, "x86-64-v3", folder)))


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


def check_multi(sonoc, models):
    """--target=multi."""
    best = best_version()
    if best < 3:
        print("skipped: versions of x86-64: this machine has not x86-64-v3")
        return []
    if best < 4:
        print("skipped: version 4 in a file of several: this machine has no AVX-512")
    gcc, clang = ["gcc", "-O1"], ["clang-19", "-O1"]
    wrong = check_versions(sonoc, models[0], "object", gcc) + check_narrow_v4(sonoc, models[0])
    wrong += check_threads(sonoc)
    for item, form, compiler in zip(models[1:], ["literal", "arrays", "incbin"], [clang, gcc, gcc]):
        wrong += check_versions(sonoc, item, form, compiler)
    print(f"{'versions of x86-64':32} 4 models, {len(wrong)} wrong", flush=True)
    return wrong


TARGETS = {  # with a fused multiply-add, and without
    True: ["x86-64-v3", "x86-64-v4", "multi-v4", "aarch64", "riscv64", "s390x", "cortex-m4f", "cortex-m7", "cortex-m33"],
    False: ["baseline", "x86-64-v2", "multi-v2", "i686"],
}


def check_plans(sonoc, models):
    """Plans for all targets give the same bits: of those with fma, and of those without."""
    wrong, folder = [], FOLDER / "plans"
    folder.mkdir(exist_ok=True)
    for model, _ in models:
        for names in TARGETS.values():
            wants = [model.expected(sonoc, target, folder) for target in names]
            for target, want in zip(names[1:], wants[1:]):
                wrong += [f"{model.name}: {name} has other bits for {target} than for {names[0]}"
                          for name in want if not same_bits(want[name], wants[0][name])]
    print(f"{'plans':32} {len(models)} models, {len(wrong)} wrong", flush=True)
    return wrong


def check_object(sonoc, machine, items):
    """Machine code that sonoc makes itself has the same bits; a sonoc without LLVM makes none."""
    wrong = []
    compiler, options, emulator = MACHINES[machine]
    for model, arrays in items:
        folder = FOLDER / f"object-{machine}-{model.name}"
        folder.mkdir(exist_ok=True)
        done = subprocess.run([sonoc, "compile", model.path, "-o", folder / "model.o", f"--target={machine}", "--quiet"],
                              capture_output=True, text=True)
        if "without LLVM" in done.stderr:
            print(f"skipped: objects for {machine}: this sonoc was built without LLVM")
            return []
        write_inputs(folder / "model.in", arrays)
        (folder / "main.c").write_text('#include "runner.h"\n#include "model.h"\nint main(void) {\n'
                                       "    RUN(model, MODEL);\n    return 0;\n}\n")
        subprocess.run([compiler, *options, f"-I{HARNESS}", "-static", "main.c", "model.o", "-o", "run"], cwd=folder,
                       check=True)
        subprocess.run([*emulator, "./run"], cwd=folder, check=True)
        wrong += compare(f"object of {model.name} for {machine}", folder / "model.out",
                         model.expected(sonoc, machine, folder))
    print(f"{'objects for ' + machine:32} {len(items)} models, {len(wrong)} wrong", flush=True)
    return wrong


def check_machine(sonoc, machine, models, pool):
    """All builds of a machine."""
    wrong, ran = [], 0
    for target, extra in [(machine, []), *FOREIGN.get(machine, [])]:
        build = Build(sonoc, machine, target, extra)
        what, n = check_build(build, models if target == machine else models[1::3], pool)
        wrong, ran = wrong + what, ran + n
    if machine == "aarch64":
        wrong += check_object(sonoc, machine, [item for item in models if "test_" not in item[0].name][:4])
    if not ran:
        wrong.append(f"{machine}: nothing ran")
    return wrong


def main():
    """Check the machines asked for."""
    parser = argparse.ArgumentParser(description="Run generated C for other machines in emulators.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--machines", default=",".join(MACHINES))
    parser.add_argument("--all", action="store_true", help="all of ONNX's node cases, and 200 random graphs")
    options = parser.parse_args()
    sonoc = options.sonoc.resolve()
    maker = sonoc.parent / "tests/unit_random_graphs"
    FOLDER.mkdir(parents=True, exist_ok=True)
    models = [acsnet_model(), *node_models(options.all), *random_models(maker, ALL_GRAPHS if options.all else GRAPHS)]
    small = [item for item in models if "test_" not in item[0].name]
    wrong = check_software_fma(sonoc) + check_refusals(sonoc) + check_plans(sonoc, small)
    wrong += check_multi(sonoc, small)
    with ThreadPoolExecutor(2) as pool:
        for machine in options.machines.split(","):
            missing = [tool for tool in (MACHINES[machine][0], MACHINES[machine][2][0]) if not shutil.which(tool)]
            if missing:
                print(f"skipped: {machine}: {' and '.join(missing)} not found")
            else:
                wrong += check_machine(sonoc, machine, models, pool)
    print("\n".join(wrong) or "the same bits everywhere")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
