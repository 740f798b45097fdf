"""Runs models on other machines, in emulators, and compares the bits with the interpreter's.

    python tests/cross.py --sonoc build/release/sonoc [--parts aarch64,s390x] [--all] [--arm64 build/arm64]

Models: the narrow ACSNet on a small image, a sample of ONNX's node cases and of random graphs. They run as C that a
cross compiler built, and as objects that sonoc made itself; as plans for the machine, and some for others: a plan with
fma where there is no such instruction, a plan made for x86 elsewhere. --all: ACSNet in all forms, all node cases and
200 graphs, these also by way of gcc and clang at -O0, -O2 and -O3 and of machine code in memory on this machine.
--arm64: also by machine code that sonoc makes in memory on aarch64; the folder is what scripts/build-arm64 made. What
is missing is reported as skipped.
"""

import argparse
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from acsnet import FORMS
from cross_files import check_refusals, check_software_fma
from cross_models import (FOLDER, HARNESS, UNFUSED, acsnet_models, differences, differences_in, node_models,
                          random_models, rounded_models)
from cross_versions import check_multi
from readers import has_jit

GRAPHS = 12  # random graphs in the sample
ALL_GRAPHS = 200
WEIGHTS = ["literal", "arrays", "incbin", "object", "file"]  # forms of weights, in turn
MACHINES = {  # name: compiler, its options, emulator
    "aarch64": ("aarch64-linux-gnu-gcc", [], "qemu-aarch64"),
    "riscv64": ("riscv64-linux-gnu-gcc", [], "qemu-riscv64"),
    "s390x": ("s390x-linux-gnu-gcc", ["-march=z14"], "qemu-s390x"),
    "i686": ("i686-linux-gnu-gcc", ["-msse2", "-mfpmath=sse"], "qemu-i386"),
}
PARTS = ["plans", *MACHINES, "here"]
FOREIGN = {  # machine: targets whose plans it runs as well, and what the compiler then needs
    "aarch64": [("x86-64-v3", [])],
    "s390x": [("x86-64-v3", [])],
    "i686": [("x86-64-v3", ["-DSOFTWARE_FMA"])],
}
HERE = [  # compilers of this machine, and targets
    *((f"{compiler} {level}", compiler, level, "x86-64-v3") for compiler in ("gcc", "clang-19")
      for level in ("-O0", "-O2", "-O3")),
    ("gcc -O2, plan without fma", "gcc", "-O2", "baseline"),
]
FUSED, PLAIN = ("x86-64-v3", "x86-64-v3"), ("baseline", "baseline")
TARGETS = ["x86-64-v4", "multi-v4", "aarch64", "riscv64", "s390x", "cortex-m4f", "cortex-m7", "cortex-m33",
           *UNFUSED[1:]]


class Wrong(Exception):
    """A model that does not compile or run."""


def call(who, folder, *command):
    """Run a tool in a folder."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Wrong(f"{who}: {command[0]}: status {done.returncode}: {done.stderr[:600]}")


class Build:
    """Models compiled to C for one target and by one compiler, in one program, which one emulator runs."""

    def __init__(self, sonoc, name, target, compiler, emulator=(), forms=("arrays",), quick=False):
        self.sonoc, self.name, self.target, self.forms, self.quick = sonoc, name, target, forms, quick
        self.compiler, self.emulator = compiler, list(emulator)
        self.folder = FOLDER / name.replace(",", "").replace(" ", "-")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def compile(self, model, form, who):
        """Make NAME.o and NAME.h."""
        call(who, self.folder, self.sonoc, "compile", model.path, "-o", f"{model.name}.c", f"--target={self.target}",
             f"--weights={form}", *model.options, "--quiet")
        call(who, self.folder, *self.compiler, *self.level_of(model), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-c",
             f"{model.name}.c")

    def level_of(self, model):
        """How ACSNet, which takes long, is compiled where that is to be quick."""
        return ["-O0"] if self.quick and model.name.startswith("acsnet") else []

    def run(self, models, pool):
        """Return what is wrong, and how many models ran."""
        built, wrong = [], []
        for model, what in pool.map(self.add, enumerate(models)):
            if isinstance(what, Wrong):
                wrong.append(str(what))
            elif what:
                built.append((model, what))
        try:
            self.link_and_run([line for _, line in built])
        except Wrong as what:
            wrong.append(str(what))
        for model, _ in built:
            wrong += differences_in(f"{self.name}: {model.name}", self.folder / f"{model.name}.out",
                                    model.expected(self.sonoc, self.target))
        return wrong, len(built)

    def add(self, item):
        """Compile a model; return it with its line of the program; with None: sonoc refuses it; or with a Wrong."""
        number, model = item
        form = self.forms[number % len(self.forms)]
        if model.expected(self.sonoc, self.target) is None:
            return model, None
        try:
            self.compile(model, form, f"{self.name}: {model.name}")
        except Wrong as what:
            return model, what
        model.write_inputs(self.folder / f"{model.name}.in")
        return model, f"{'RUN_FILE' if form == 'file' else 'RUN'}({model.name}, {model.name.upper()});"

    def link_and_run(self, lines):
        """Make the program and run it: a function for each model."""
        main = ['#include "runner.h"', *(f'#include "{path.name}"' for path in sorted(self.folder.glob("*.h"))),
                *(f"static void run_{i}(void) {{ {line} }}" for i, line in enumerate(lines)), "int main(void) {",
                *(f"    run_{i}();" for i in range(len(lines))), "    return 0;", "}", ""]
        (self.folder / "main.c").write_text("\n".join(main))
        objects = sorted(path.name for path in self.folder.glob("*.o"))
        call(self.name, self.folder, *self.compiler, "-O0", f"-I{HARNESS}", "-static", "-o", "all", "main.c", *objects)
        call(self.name, self.folder, *self.emulator, "./all")


class ObjectBuild(Build):
    """Models as objects that sonoc makes itself."""

    def compile(self, model, form, who):
        call(who, self.folder, self.sonoc, "compile", model.path, "-o", f"{model.name}.o", f"--target={self.target}",
             *model.options, "--quiet")


class InMemory:
    """Models by way of machine code in memory: by this sonoc, or by one for another machine in an emulator.

    Targets are taken in turn; each comes with one whose bits it has.
    """

    def __init__(self, sonoc, name, command, targets):
        self.sonoc, self.name, self.command, self.targets = sonoc, name, command, targets
        self.folder = FOLDER / name.replace(" ", "-")
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, models, pool):
        """Return what is wrong, and how many models ran."""
        results = [result for result in pool.map(self.check, enumerate(models)) if result is not None]
        return [what for result in results for what in result], len(results)

    def check(self, item):
        """What is wrong with a model; None: sonoc refuses it."""
        number, model = item
        (target, same), who = self.targets[number % len(self.targets)], f"{self.name}: {model.name}"
        want = model.expected(self.sonoc, same)
        if want is None:
            return None
        try:
            got = model.run(self.command, self.folder / f"{model.name}.npz", "--backend=jit", "--no-cache",
                            f"--target={target}")
        except RuntimeError as what:
            return [f"{self.name}: {what}"]
        return list(differences(who, got, want)) if got is not None else [f"{who}: is refused"]


def check(build, models, pool):
    """Run models and tell of it; return what is wrong."""
    wrong, ran = build.run(models, pool)
    print(f"{build.name:32} {ran} models, {len(wrong)} wrong", flush=True)
    return wrong if ran else [*wrong, f"{build.name}: nothing ran"]


def check_machine(sonoc, machine, models, pool, quick):
    """C for a machine, with plans for it and for others."""
    compiler, options, emulator = MACHINES[machine]
    missing = [tool for tool in (compiler, emulator) if not shutil.which(tool)]
    if missing:
        print(f"skipped: {machine}: {' and '.join(missing)} not found")
        return []
    own = Build(sonoc, machine, machine, [compiler, *options, "-O1"], [emulator], WEIGHTS, quick)
    wrong = check(own, models, pool)
    for target, extra in FOREIGN.get(machine, []):
        build = Build(sonoc, f"{machine}, plan for {target}", target, [compiler, *options, "-O1", *extra], [emulator])
        wrong += check(build, models[1::3], pool)
    return wrong


def check_objects(sonoc, models, pool):
    """Objects for aarch64."""
    compiler, options, emulator = MACHINES["aarch64"]
    missing = [tool for tool in (compiler, emulator) if not shutil.which(tool)]
    if not has_jit(sonoc):
        missing = ["LLVM in this sonoc"]
    if missing:
        print(f"skipped: objects for aarch64: {' and '.join(missing)} not found")
        return []
    return check(ObjectBuild(sonoc, "objects for aarch64", "aarch64", [compiler, *options], [emulator]), models, pool)


def check_here(sonoc, models, pool):
    """Compilers of this machine at several levels, and machine code in memory."""
    wrong = []
    for name, compiler, level, target in HERE:
        wrong += check(Build(sonoc, name, target, [compiler, level]), models, pool)
    if not has_jit(sonoc):
        print("skipped: machine code in memory: this sonoc was built without LLVM")
        return wrong
    wrong += check(InMemory(sonoc, "in memory", [sonoc], [FUSED, PLAIN]), models, pool)
    emulator = ["qemu-x86_64", "-cpu", "Nehalem"]
    if not shutil.which(emulator[0]) or platform.machine() != "x86_64":
        print(f"skipped: in memory without fma: {emulator[0]} not found, or this is no x86-64")
        return wrong
    old = InMemory(sonoc, "in memory without fma", [*emulator, sonoc], [FUSED, ("native", "baseline")])
    return wrong + check(old, models[1:11], pool)


def check_arm64(sonoc, folder, models, pool):
    """Machine code that sonoc makes in memory on aarch64, and its own comparison there."""
    if not folder:
        print("skipped: in memory on aarch64: no --arm64")
        return []
    command = ["qemu-aarch64", "-L", folder / "sysroot", folder / "sonoc"]
    wrong = check(InMemory(sonoc, "in memory on aarch64", command, [("native", "aarch64"), FUSED]), models, pool)
    networks = [model for model in models if model.name.startswith("acsnet")]
    for model in networks:
        try:
            call(f"verify on aarch64: {model.name}", FOLDER, *command, "verify", model.path, "--inputs", model.inputs,
                 *model.options, "--backend=jit", "--quiet")
        except Wrong as what:
            wrong.append(str(what))
    print(f"{'verify on aarch64':32} {len(networks)} models")
    return wrong


def check_plans(sonoc, models, targets):
    """Plans for all targets have the same bits: those with fma, and those without."""
    wrong = []
    for model in models:
        for target in targets:
            wrong += differences(f"plan for {target}: {model.name}", model.interpreted(sonoc, target),
                                 model.expected(sonoc, target))
    print(f"{'plans for ' + str(len(targets)) + ' targets':32} {len(models)} models, {len(wrong)} wrong", flush=True)
    return wrong


def check_plans_and_files(sonoc, everything, network, graphs):
    """What needs no other machine: plans for all targets, several in one file, what compilers must refuse."""
    wrong = check_software_fma(sonoc) + check_refusals(sonoc)
    wrong += check_plans(sonoc, graphs if everything else graphs[:4], TARGETS)
    wrong += check_plans(sonoc, [network], TARGETS if everything else TARGETS[:1])
    return wrong + check_multi(sonoc, [network, *graphs[:2], graphs[-1]], "-O1" if everything else "-O0")


def check_aarch64(sonoc, options, models, cases, pool):
    """Machine code for aarch64: objects made here, and code in memory, made there."""
    wrong = check_arm64(sonoc, options.arm64, [*models, *cases[::10]], pool)
    return wrong + check_objects(sonoc, [*models, *cases][:: 1 if options.all else 2], pool)


def check_all(sonoc, options, networks, cases, graphs, pool):
    """Return all that is wrong."""
    wrong = []
    for part in options.parts:
        if part == "plans":
            wrong += check_plans_and_files(sonoc, options.all, networks[0], graphs)
        elif part == "here":
            wrong += check_here(sonoc, [networks[0], *graphs], pool)
        else:
            models = networks if part == "aarch64" else networks[:1]
            wrong += check_machine(sonoc, part, [*models, *cases, *graphs], pool, not options.all)
        if part == "aarch64":
            wrong += check_aarch64(sonoc, options, [*networks, *graphs], cases, pool)
    return wrong


def main():
    """Check the parts asked for."""
    parser = argparse.ArgumentParser(description="Run models on other machines, in emulators.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--parts", help=f"some of {','.join(PARTS)}; default: all, here with --all only")
    parser.add_argument("--all", action="store_true", help="all forms of ACSNet, all node cases, and 200 random graphs")
    parser.add_argument("--arm64", type=Path, help="the folder with sonoc for aarch64 and its sysroot")
    options = parser.parse_args()
    options.parts = options.parts.split(",") if options.parts else PARTS if options.all else PARTS[:-1]
    sonoc = options.sonoc.resolve()
    maker = sonoc.parent / "tests/unit_random_graphs"
    (FOLDER / "models").mkdir(parents=True, exist_ok=True)
    networks = list(acsnet_models(FORMS if options.all and "aarch64" in options.parts else ["ts17"]))
    cases = list(node_models(options.all))
    graphs = [*random_models(maker, ALL_GRAPHS if options.all else GRAPHS), *rounded_models()]
    with ThreadPoolExecutor(2) as pool:
        wrong = check_all(sonoc, options, networks, cases, graphs, pool)
    print("\n".join(wrong) or "the same bits everywhere")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
