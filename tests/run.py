"""Runs the text cases: small files *.t in tests/cases, each in one of three forms, told by its first line.

    python tests/run.py --sonoc build/release/sonoc [--bless] [FILE.t ...]

    pass PASSES [OPTION..]  the graph that follows, after these passes (a,b,c; `all`, `none`), is the graph after
                            `---`, letter by letter; `unchanged`: it prints as it was given. What is printed
                            prints the same when it is read again. --bless rewrites what is expected. Comments
                            `# missed: ...` tell what the remarks must say of what nearly matched; `# near miss of
                            NAMES: ...` and `# refused by NAMES: ...` name passes and rules that must not rewrite it.
    diag STATUS             the graph is refused with this exit status, and says, in this order and nothing else,
                            what the comments `# error: ...` in it tell; behind an `# in OPTIONS` those are given.
    num [ulp=N] [atol=X]    the graph, run on inputs, gives what the Python after `---` computes from them in
        [kernels=N]         float64, and the same bits through the interpreter, C at -O0 and -O3, and the JIT; the C
                            compiles without a warning. Lines before the graph, `x = ...`, give inputs (`rng` is
                            seeded); the others are random. It becomes so many kernels, and its memory certificate
                            holds.

Comments `# choices: LINE` in a graph of `num` and `diag` are the lines of a file of choices, which it is compiled with; of
`num`, each must be taken by a kernel.

Several cases in a file are parted by a line `===`.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import certificate
import numpy as np

from readers import available

CASES = Path(__file__).parent / "cases"
DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bool": np.bool_}
DTYPES |= {f"{'iu'[k]}{n}": np.dtype(f"{'iu'[k]}{n // 8}").type for k in (0, 1) for n in (8, 16, 32, 64)}
PLAN = "the plan for aarch64"
READERS = {
    "interp": ["--backend=interp"],
    "gcc -O0": ["--backend=c", "--cc=gcc -O0"],
    "gcc -O3": ["--backend=c", "--cc=gcc -O3 -Wall -Wextra -Werror"],
    "jit": ["--backend=jit"],
    PLAN: ["--backend=interp", "--target=aarch64"],
}


class Failure(Exception):
    """A case that is not as it should be."""


def run(sonoc, folder, command, *arguments, status=0):
    """Run sonoc in a folder; return what it prints and says."""
    done = subprocess.run([sonoc, command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != status:
        raise Failure(f"sonoc {command}: exit status {done.returncode}, not {status}: {done.stderr or done.stdout}")
    return done.stdout, done.stderr


def split_case(text):
    """Part a case into its first line, what is given and what is expected."""
    first, _, rest = text.partition("\n")
    given, _, expected = rest.partition("\n---\n")
    return first.split(), given.strip("\n") + "\n", expected.strip("\n") + "\n"


def pass_options(words):
    """What the first line of a case says of passes, as options."""
    options = {"all": [], "none": ["--passes="]}.get(words[1], [f"--passes={words[1]}"])
    return options + [word.replace("=tests/", f"={CASES.parent}/") for word in words[2:]]


def names_in(given, word):
    """The passes and rules that a comment of a case names."""
    return {name for names in re.findall(rf"# {word} ([\w, ]+)", given) for name in names.split(", ")}


def rewriters(said):
    """The passes and rules that the remarks tell to have rewritten something."""
    done = [line for line in said.splitlines() if ": done: " in line]
    return {line.split(":")[0] for line in done} | {name for line in done for name in re.findall(r": rule (\w+)", line)}


def run_pass(sonoc, folder, _, words, given, expected):
    """Compare a graph after passes with the expected one; return the case as it would be right."""
    (folder / "case.sonoc").write_text(given)
    printed, said = run(sonoc, folder, "opt", "case.sonoc", "--verify-each", "--quiet", "--remarks", *pass_options(words))
    (folder / "again.sonoc").write_text(printed)
    again, _ = run(sonoc, folder, "opt", "again.sonoc", "--passes=", "--quiet")
    if again != printed:
        raise Failure(f"read again, it prints differently:\n{printed}becomes\n{again}")
    bare = re.sub(r"^#.*\n", "", given, flags=re.M)
    want = bare if expected.strip() == "unchanged" else expected
    missed = [line for line in said.splitlines() if ": missed: " in line]
    wrong = rewriters(said) & (names_in(given, "near miss of") | names_in(given, "refused by"))
    if wrong:
        raise Failure(f"rewritten by {', '.join(sorted(wrong))}: {said}")
    untold = [want for want in re.findall(r"# missed: (.*)", given) if not any(want in line for line in missed)]
    if untold:
        raise Failure(f"not told: {untold[0]}; told: {missed}")
    right = f"{' '.join(words)}\n{given}---\n{'unchanged' + chr(10) if printed == bare else printed}"
    return right, None if printed == want else f"printed:\n{printed}expected:\n{want}"


def choices_of(folder, given):
    """Write the choices that comments of a graph tell; return the option and the variants."""
    lines = re.findall(r"^\s*# choices: (.*)", given, re.M)
    (folder / "case.choices").write_text("".join(line + "\n" for line in lines))
    return ["--choices=case.choices"] if lines else [], [line.rpartition(": ")[2] for line in lines if ": " in line]


def run_diag(sonoc, folder, _, words, given, __):
    """Compare what is said about a wrong graph with its comments."""
    options = re.findall(r"# in (.*)", given) + choices_of(folder, given)[0]
    (folder / "case.sonoc").write_text(given)
    _, said = run(sonoc, folder, "verify", "case.sonoc", *" ".join(options).split(), status=int(words[1]))
    lines = [line for line in said.splitlines() if ": note: " not in line]
    wanted = re.findall(r"# error: (.*)", given)
    wrong = len(lines) != len(wanted) or any(want not in line for want, line in zip(wanted, lines))
    return None, "said:\n{}\nexpected:\n{}".format("\n".join(lines), "\n".join(wanted)) if wrong else None


def random_inputs(graph, rng):
    """Make inputs from the types in a graph's first line."""
    inputs = {}
    for name, dtype, dims in re.findall(r"%(\w+): (\w+)\[([\d, ]*)\]", graph.partition(")")[0]):
        shape = [int(d) for d in dims.split(",")] if dims.strip() else []
        is_float = dtype.startswith("f")
        values = rng.uniform(-2, 2, shape) if is_float else rng.integers(0, 2, shape)
        inputs[name] = np.asarray(values).astype(DTYPES[dtype])
    return inputs


def distance_in_ulp(got, want):
    """The largest distance of floats from float64 values, in units of the last place of the float's type."""
    want = np.asarray(want, np.float64)
    spacing = np.spacing(np.abs(want.astype(got.dtype))).astype(np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        return np.max(np.where(same, 0, np.abs(got.astype(np.float64) - want) / spacing), initial=0)


def check_output(name, got, want, bounds):
    """Compare an output with its reference."""
    want = np.asarray(want)
    if got.shape != want.shape:
        raise Failure(f"{name} has the shape {got.shape}, should be {want.shape}")
    if got.dtype.kind != "f":
        wrong = not np.array_equal(got, want)
    else:
        with np.errstate(invalid="ignore"):
            near = np.max(np.abs(got.astype(np.float64) - want), initial=0) <= bounds.get("atol", -1)
        wrong = not near and not distance_in_ulp(got, want) <= bounds.get("ulp", 0)
    if wrong:
        with np.printoptions(threshold=20):
            raise Failure(f"{name} is\n{got}\nshould be\n{want}")


def check_kernels(sonoc, folder, count, choices):
    """Compare the number of kernels and the variants, where they are told, and check where buffers lie."""
    options = [*choices[0], "-o", "case.c", "--quiet", "--report", "--json", "--memory-certificate=case.json"]
    report, _ = run(sonoc, folder, "compile", "case.sonoc", *options)
    kernels = [kernel["from"] for kernel in json.loads(report)["kernels"]]
    missing = [variant for variant in choices[1] if not any(f" by {variant}" in kernel for kernel in kernels)]
    if missing:
        raise Failure("\n".join([f"no kernel is by {missing[0]}:", *kernels]))
    if count not in (None, len(kernels)):
        raise Failure("\n".join([f"becomes {len(kernels)} kernels, not {count:.0f}:", *kernels]))
    wrong = list(certificate.check(json.loads((folder / "case.json").read_text())))
    if wrong:
        raise Failure("\n".join(wrong))


def run_num(sonoc, folder, readers, words, given, expected):
    """Compare outputs with a reference, and the readers with each other."""
    bounds = {key: float(value) for key, value in (word.split("=") for word in words[1:])}
    rng = np.random.default_rng(7)
    setting, graph = re.split(r"^(?=graph )", given, maxsplit=1, flags=re.M)
    scope = {"np": np, "rng": rng}
    inputs = random_inputs(graph, rng)
    exec(setting, scope)
    inputs = {name: np.asarray(scope.get(name, value)).astype(value.dtype) for name, value in inputs.items()}
    (folder / "case.sonoc").write_text(graph)
    np.savez(folder / "in.npz", **inputs)
    outputs, choices = {}, choices_of(folder, graph)
    for reader, options in readers.items():
        if reader == PLAN and choices[0]:  # these are for a target
            continue
        given_inputs = ["--inputs", "in.npz"] if inputs else []
        run(sonoc, folder, "run", "case.sonoc", *given_inputs, "--outputs", "out.npz", "--quiet", *options, *choices[0])
        outputs[reader] = (folder / "out.npz").read_bytes()
        if outputs[reader] != outputs["interp"]:
            raise Failure(f"{reader} gives other bits than the interpreter")
    check_kernels(sonoc, folder, bounds.get("kernels"), choices)
    scope |= {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in inputs.items()}
    with np.errstate(all="ignore"):
        exec(expected, scope)
    with np.load(folder / "out.npz") as file:
        for name in file.files:
            check_output(name, file[name], scope[name], bounds)
    return None, None


FORMS = {"pass": run_pass, "diag": run_diag, "num": run_num}


def run_file(sonoc, path, readers, bless):
    """Run the cases of a file; return how many there are and print those that fail."""
    cases, failed = path.read_text().split("===\n"), 0
    for i, text in enumerate(cases):
        words, given, expected = split_case(text)
        right, wrong = None, None
        with tempfile.TemporaryDirectory() as folder:
            try:
                right, wrong = FORMS[words[0]](sonoc, Path(folder), readers, words, given, expected)
            except Failure as failure:
                wrong = str(failure)
        if wrong and right and bless:
            cases[i] = right
        elif wrong:
            failed += 1
            print(f"{path.name}, case {i + 1}, {' '.join(words)}: {wrong}")
    if bless:
        path.write_text("===\n".join(cases))
    return len(cases), failed


def main():
    """Run the files named, or all."""
    parser = argparse.ArgumentParser(description="Run the text cases.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--bless", action="store_true", help="rewrite what `pass` cases expect")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    sonoc = options.sonoc.resolve()
    readers = available(READERS, sonoc)
    counts = [run_file(sonoc, path, readers, options.bless)
              for path in options.files or sorted(CASES.rglob("*.t"))]
    total, failed = (sum(column) for column in zip(*counts))
    print(f"{total} cases, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
