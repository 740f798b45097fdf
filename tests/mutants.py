"""Puts faults into passes, one at a time, and demands that --check-passes catches each and names the pass.

    python tests/mutants.py --build build/release [NUMBER ...]

A mutant is a line of a pass's source that is replaced: it is compiled, linked before the rest of sonoc, and run on a small
graph that the pass rewrites. The same graph must pass the check without the fault.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import deform_soup

ROOT = Path(__file__).parent.parent

GRAPHS = {
    "join": "%a = Concat(%x, %x) {axis = -1} : ?\n%y = Relu(%a) : ?",
    "turn": "%a = Transpose(%x) {perm = [0, 1, 3, 2]} : ?\n%y = Relu(%a) : ?",
    "turn twice": "%a = Transpose(%x) {perm = [0, 2, 3, 1]} : ?\n%y = Transpose(%a) {perm = [0, 2, 3, 1]} : ?",
    "slice of concat": "%b = constant i64[1] {5}\n%e = constant i64[1] {7}\n%d = constant i64[1] {1}\n"
                       "%n = Neg(%x) : ?\n%c = Concat(%x, %n) {axis = 1} : ?\n%y = Slice(%c, %b, %e, %d) : ?",
    "backwards": "%b = constant i64[1] {-1}\n%e = constant i64[1] {-99}\n%d = constant i64[1] {3}\n"
                 "%s = constant i64[1] {-1}\n%a = Slice(%x, %b, %e, %d, %s) : ?\n%y = Relu(%a) : ?",
    "minus": "%one = constant f32[] {1.0}\n%y = Sub(%one, %x) : ?",
    "padded conv": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%y = Conv(%x, %w) {pads = [1, 1, 1, 1]} : ?",
    "two axes": "%a = Softmax(%x) {axis = 2} : ?\n%b = Softmax(%x) {axis = 3} : ?\n%y = Sub(%a, %b) : ?",
    "both differences": "%n = Neg(%x) : ?\n%a = Sub(%x, %n) : ?\n%b = Sub(%n, %x) : ?\n%y = Mul(%a, %b) : ?",
    "two turns": "%a = Transpose(%x) {perm = [0, 1, 3, 2]} : ?\n%b = Transpose(%x) {perm = [0, 2, 1, 3]} : ?\n%y = Sub(%a, %b) : ?",
    "batch norm": "%w = constant f32[2,4,1,1] {1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0}\n%b = constant f32[2] {1.0, 2.0}\n"
                  "%s = constant f32[2] {1.5, 2.5}\n%t = constant f32[2] {0.5, -0.5}\n%m = constant f32[2] {0.25, 0.75}\n"
                  "%v = constant f32[2] {0.5, 2.0}\n%c = Conv(%x, %w, %b) : ?\n"
                  "%y = BatchNormalization(%c, %s, %t, %m, %v) {epsilon = 0.01} : ?",
    "sub behind conv": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%c = Conv(%x, %w) : ?\n"
                       "%s = constant f32[1,1,1] {0.5}\n%y = Sub(%c, %s) : ?",
    "add before conv": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%s = constant f32[] {0.5}\n%a = Add(%x, %s) : ?\n"
                       "%y = Conv(%a, %w) {pads = [1, 1, 1, 1]} : ?",
    "mul before groups": "%w = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}\n%s = constant f32[4,1,1] {1.0, 2.0, 3.0, 4.0}\n"
                         "%a = Mul(%x, %s) : ?\n%y = Conv(%a, %w) {group = 2} : ?",
    "pad": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%p = constant i64[8] {0, 0, 1, 0, 0, 0, 0, 2}\n"
           "%a = Pad(%x, %p) : ?\n%y = Conv(%a, %w) : ?",
    "reflected": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%p = constant i64[8] {0, 0, 1, 1, 0, 0, 1, 1}\n"
                 "%a = Pad(%x, %p) {mode = \"reflect\"} : ?\n%y = Conv(%a, %w) : ?",
    "pad with one": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%p = constant i64[8] {0, 0, 1, 1, 0, 0, 1, 1}\n"
                    "%o = constant f32[] {1.0}\n%a = Pad(%x, %p, %o) : ?\n%y = Conv(%a, %w) : ?",
    "group norm": "%r = constant i64[3] {1, 2, -1}\n%s = constant f32[2] {1.0, 2.0}\n%t = constant f32[2] {0.5, 0.25}\n"
                  "%f = constant i64[4] {1, 4, 4, 4}\n%a = Reshape(%x, %r) : ?\n"
                  "%b = InstanceNormalization(%a, %s, %t) {epsilon = 0.1} : ?\n%y = Reshape(%b, %f) : ?",
    "scaled norm": "%s = constant f32[4] {1.0, 2.0, 3.0, 4.0}\n%m = constant f32[4,1,1] {2.0, 3.0, 4.0, 5.0}\n"
                   "%a = InstanceNormalization(%x, %s, %s) : ?\n%y = Mul(%a, %m) : ?",
    "softmax": "%d = constant i64[1] {1}\n%n = Neg(%x) : ?\n%e = Exp(%x) : ?\n%f = Exp(%n) : ?\n%s = ReduceSum(%f, %d) : ?\n"
               "%y = Div(%e, %s) : ?",
    "shuffle": "%six = constant i64[6] {1, 2, 2, 2, 4, 4}\n%four = constant i64[4] {1, 2, 8, 8}\n%n = Neg(%x) : ?\n"
               "%c = Concat(%x, %n) {axis = 1} : ?\n%a = Reshape(%c, %six) : ?\n"
               "%b = Transpose(%a) {perm = [0, 1, 4, 2, 5, 3]} : ?\n%y = Reshape(%b, %four) : ?",
    "maximum": "%d = constant i64[2] {2, 3}\n%y = ReduceMax(%x, %d) : ?",
    "gates": "%d = constant i64[3] {1, 2, 3}\n%a = ReduceMax(%x, %d) : ?\n%b = ReduceMin(%x, %d) : ?\n%p = Mul(%x, %a) : ?\n"
             "%q = Mul(%x, %b) : ?\n%y = Add(%p, %q) : ?",
    "gated conv": "%d = constant i64[3] {1, 2, 3}\n%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%b = constant f32[1] {2.0}\n"
                  "%v = constant f32[1,4,1,1] {4.0, 3.0, 2.0, 1.0}\n%s = ReduceMax(%x, %d) : ?\n%o = Conv(%x, %v) : ?\n"
                  "%g = Mul(%x, %s) : ?\n%c = Conv(%g, %w, %b) : ?\n%y = Sub(%c, %o) : ?",
    "parallel": "%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n%v = constant f32[1,4,1,1] {4.0, 3.0, 2.0, 1.0}\n"
                "%a = Conv(%x, %w) : ?\n%b = Conv(%x, %v) : ?\n"
                "%p = Relu(%a) : ?\n%s = Sub(%p, %b) : ?\n%y = ReduceMax(%s) : ?",
    "padded pool": "%y = AveragePool(%x) {kernel_shape = [4, 4], pads = [1, 1, 1, 1], strides = [3, 3], count_include_pad = 1} : ?",
    "mean of other axes": "%r = constant i64[1] {3}\n%o = constant i64[2] {2, 3}\n%e = constant f32[] {0.1}\n"
                          "%m = ReduceMean(%x, %r) : ?\n%d = Sub(%x, %m) : ?\n%q = Mul(%d, %d) : ?\n"
                          "%v = ReduceMean(%q, %o) : ?\n%s = Add(%v, %e) : ?\n%t = Sqrt(%s) : ?\n%y = Div(%d, %t) : ?",
    "pieces": "%b = constant i64[1] {0}\n%m = constant i64[1] {2}\n%e = constant i64[1] {4}\n%d = constant i64[1] {1}\n"
              "%n = Neg(%x) : ?\n%p = Slice(%n, %b, %m, %d) : ?\n%q = Slice(%n, %m, %e, %d) : ?\n%y = Sub(%p, %q) : ?",
    "strided behind upsampling": "%z = constant i64[4] {1, 4, 8, 8}\n%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n"
                                 "%r = Resize(%x, _, _, %z) {mode = \"linear\"} : ?\n%y = Conv(%r, %w) {strides = [2, 2]} : ?",
    "gate of another": "%n = Neg(%x) : ?\n%s = Sigmoid(%n) : ?\n%y = Mul(%x, %s) : ?",
    "soup": deform_soup.write_soup(deform_soup.Soup(kernel=2)),
    "soup behind a convolution": deform_soup.write_soup(deform_soup.Soup(kernel=2, offset_from_conv=True)),
    "wrong soup": deform_soup.write_soup(deform_soup.Soup(kernel=2, sign="Sub")),
    "upsampled": "%z = constant i64[4] {1, 4, 8, 8}\n%w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}\n"
                 "%r = Resize(%x, _, _, %z) {mode = \"linear\"} : ?\n%y = Conv(%r, %w) {pads = [1, 1, 1, 1]} : ?",
    "branches": "%d = constant i64[1] {1}\n%w = constant f32[2,8,1,1] {1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 3.5, 4.5, 4.0, 3.0, 2.0, 1.0, 0.5, "
                "2.0, 1.5, 1.0}\n%v = constant f32[1,8,1,1] {1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0}\n%p = ReduceMean(%x, %d) : ?\n"
                "%q = ReduceMax(%x, %d) : ?\n%a = Mul(%x, %p) : ?\n%b = Mul(%x, %q) : ?\n%c = Concat(%a, %b) {axis = 1} : ?\n"
                "%o = Conv(%c, %w) {pads = [1, 1, 1, 1]} : ?\n%y = DeformConv(%c, %v, %o) {pads = [1, 1, 1, 1]} : ?",
    "other branches": "%d = constant i64[1] {1}\n%v = constant f32[1,8,1,1] {1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0}\n"
                      "%w = constant f32[2,4,1,1] {1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 3.5, 4.5}\n%p = ReduceMean(%x, %d) : ?\n%n = Neg(%x) : ?\n"
                      "%a = Mul(%x, %p) : ?\n%b = Mul(%n, %p) : ?\n%c = Concat(%a, %b) {axis = 1} : ?\n"
                      "%o = Conv(%x, %w) : ?\n%y = DeformConv(%c, %v, %o) : ?",
    "sigmoid of a part": "%w = constant f32[3,4,1,1] {1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0, -1.0, 1.0, -1.0}\n%0 = constant i64[1] {0}\n"
                         "%1 = constant i64[1] {1}\n%3 = constant i64[1] {3}\n%c = Conv(%x, %w) : ?\n%a = Slice(%c, %0, %1, %1) : ?\n"
                         "%b = Slice(%c, %1, %3, %1) : ?\n%s = Sigmoid(%b) : ?\n%y = Sub(%s, %a) : ?",
    "sigmoid of a shared part": "%w = constant f32[3,4,1,1] {1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0, -1.0, 1.0, -1.0}\n"
                                "%0 = constant i64[1] {0}\n%1 = constant i64[1] {1}\n%2 = constant i64[1] {2}\n%3 = constant i64[1] {3}\n"
                                "%c = Conv(%x, %w) : ?\n%a = Slice(%c, %0, %2, %1) : ?\n%b = Slice(%c, %1, %3, %1) : ?\n"
                                "%s = Sigmoid(%b) : ?\n%y = Sub(%s, %a) : ?",
    "flat maximum": "%f = constant i64[2] {1, 4}\n%m = GlobalMaxPool(%x) : ?\n%y = Reshape(%m, %f) : ?",
}

PIPELINES = {"split": "infer,split"}  # of passes that run for files only

MUTANTS = [  # the pass that is to be named, its source, what is replaced, by what, the graph
    ("simplify", "simplify.c", "axis < 0 ? axis + out->rank : axis]", "axis < 0 ? 2 : axis]", "join"),
    ("tidy", "tidy.c", "if (from < last) return false;", "if (from < -1) return false;", "turn"),
    ("tidy", "tidy.c", "early ? early[middle]", "early ? early[d]", "turn twice"),
    ("tidy", "tidy.c", "part, axis, begin, begin + size)", "part, axis, 0, size)", "slice of concat"),
    ("tidy", "tidy.c", "if (steps.at[i] < 1) return false;", "if (steps.at[i] < -9) return false;", "backwards"),
    ("tidy", "tidy.c", "return op == OP_Add || op == OP_Mul;", "return op == OP_Add || op == OP_Sub;", "minus"),
    ("tidy", "tidy.c", "n->op->id != OP_Pad) return all_ints_are(a, 0);", "n->op->id != OP_Pad) return true;", "padded conv"),
    ("share", "share.c", "return a->u.i == b->u.i;", "return true;", "two axes"),
    ("share", "share.c", "(a->op->id == OP_Add || a", "(a->op->id == OP_Sub || a", "both differences"),
    ("share", "share.c", "return !memcmp(a->u.ints, b->u.ints, (size_t)a->n * sizeof *a->u.ints);", "return true;", "two turns"),
    ("fuse_conv", "fuse_conv.c", "(n->inputs[4], c) + epsilon)", "(n->inputs[4], c) + 0 * epsilon)", "batch norm"),
    ("fuse_conv", "fuse_conv.c", "of_channel(n->inputs[3], c) * a->factor[c]", "of_channel(n->inputs[3], c)", "batch norm"),
    ("fuse_conv", "fuse_conv.c", " * (a->factor ? a->factor[c] : 1)", "", "batch norm"),
    ("fuse_conv", "fuse_conv.c", "OP_Sub ? -x", "OP_Sub ? x", "sub behind conv"),
    ("fuse_conv", "fuse_conv.c", "if (a.addend && !pads_nothing(n))", "if (a.addend && pads_nothing(n))", "add before conv"),
    ("fuse_conv", "fuse_conv.c", "return group * w->dims[1] + i", "return 0 * group + i", "mul before groups"),
    ("fuse_pad", "fuse_pad.c", "(d < rank ? 0 : axes)", "(d < rank ? axes : 0)", "pad"),
    ("fuse_pad", "fuse_pad.c", 'strcmp(mode, "constant")) return', 'strcmp(mode, "reflect")) return', "reflected"),
    ("fuse_pad", "fuse_pad.c", "match_scalar_is(pad->inputs[2], fill)", "match_scalar_is(pad->inputs[2], 1)", "pad with one"),
    ("raise_norm", "raise_norm.c", '"epsilon", node_float(norm, "epsilon")', '"epsilon", 1e-5f', "group norm"),
    ("raise_norm", "raise_norm.c", "(size_t)(c / (channels / groups))", "(size_t)(c % groups)", "group norm"),
    ("raise_norm", "raise_norm.c", "multiplies ? c->constant : NULL, mul", "NULL, mul", "scaled norm"),
    ("raise_pool", "raise_pool.c", "return OP_GlobalMaxPool;", "return OP_GlobalAveragePool;", "maximum"),
    ("fuse_gate", "fuse_gate.c", "make_op(g, n, OP_Add, a, b)", "make_op(g, n, OP_Max, a, b)", "gates"),
    ("fuse_gate", "fuse_gate.c", "if (node_has_input(n, 2)) y", "if (node_has_input(n, 3)) y", "gated conv"),
    ("fuse_parallel", "fuse_parallel.c", "at += channels;", "at += 0 * channels;", "parallel"),
    ("exchange", "exchange.c", "if (!pads) pads = none;", "pads = none;", "upsampled"),
    ("fuse_branches", "fuse_branches.c", "branch * channels + channel) * taps", "channel) * taps", "branches"),
    ("fuse_branches", "fuse_branches.c", "b->scales[b->n++] = scale;", "b->scales[b->n] = b->n ? b->scales[0] : scale, b->n++;",
     "branches"),
    ("fuse_branches", "fuse_branches.c", "(b->map && map != b->map) || ", "", "other branches"),
    ("fuse_part", "fuse_part.c", "c < own.end; c++", "c <= own.begin; c++", "sigmoid of a part"),
    ("fuse_part", "fuse_part.c", " || (c.begin < own.end && own.begin < c.end)", "", "sigmoid of a shared part"),
    ("flatten", "flatten.c", "mean ? OP_ReduceMean : OP_ReduceMax", "OP_ReduceMean", "flat maximum"),
    ("exchange", "exchange.c", 'all_are(n, "strides", 1) &&', "", "strided behind upsampling"),
    ("raise_pool", "raise_pool.c", 'ints_are(n, "pads", 0) &&', "", "padded pool"),
    ("raise_norm", "raise_norm.c", "if (!axis || reduced_axes(mean) != axes ||", "if (!axis ||", "mean of other axes"),
    ("split", "split.c", "node_become(g, p->slices[i], outputs[i])", "node_become(g, p->slices[i], outputs[p->n - 1 - i])", "pieces"),
    ("raise_deform", "raise_deform.c", "(channel % 2 ? taps : 0)", "(channel % 2 ? 0 : taps)", "soup"),
    ("raise_deform", "raise_deform.c", "if (node_has_input(conv, 2)) made", "if (node_has_input(conv, 3)) made", "soup behind a convolution"),
    ("raise_deform", "raise_deform.c", "s->mask ? 5 : bias", "bias", "soup"),
    ("raise_deform", "raise_deform.c", "Value *offset = geo->rows_first ?", "Value *offset = !geo->rows_first ?", "soup"),
    ("raise_deform", "raise_deform.c", "<= bound)) return false;", "<= bound + 9)) return false;", "wrong soup"),
    ("rules_real", "rule_match.c", "if (b->is_set) return same_value(b->value, v) &&", "if (b->is_set) return", "gate of another"),
]


def run(command, folder):
    """Run a command; return its status and everything it prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def commands_of(build):
    """Give the compile commands by source, and the words that link sonoc."""
    entries = json.loads((build / "compile_commands.json").read_text())
    compile_words = {Path(e["file"]).name: shlex.split(e["command"]) for e in entries if "/passes/" in e["file"]}
    _, printed = run(["ninja", "-t", "commands", "sonoc"], build)
    link = printed.strip().splitlines()[-1].removeprefix(": && ").removesuffix(" && :")
    return compile_words, shlex.split(link)


def build_mutant(build, folder, name, old, new, commands):
    """Compile a changed source and link it before the rest; return the program, or what went wrong."""
    source = (ROOT / "passes" / name).read_text()
    if source.count(old) != 1:
        return None, f"the line to change stands {source.count(old)} times in {name}: {old}"
    (folder / name).write_text(source.replace(old, new))
    words = [word for word in commands[0][name] if word not in ("-Werror", "-O2", "-O3")]
    place = {words.index("-c") + 1: str(folder / name), words.index("-o") + 1: str(folder / "mutant.o")}
    status, said = run([place.get(i, word) for i, word in enumerate(words)] + ["-w"], build)
    if status:
        return None, said
    link, out = list(commands[1]), folder / "sonoc"
    link[link.index("-o") + 1] = str(out)
    status, said = run(link[:1] + [str(folder / "mutant.o")] + link[1:], build)
    return (None, said) if status else (out, None)


def try_mutant(build, mutant, commands):
    """Give what is wrong with the way a mutant is met, or None."""
    wanted, name, old, new, graph = mutant
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        text = GRAPHS[graph]
        whole = text if text.startswith("graph ") else f"graph g(%x: f32[1,4,4,4]) -> (%y) {{\n{text}\n}}\n"
        (folder / "case.sonoc").write_text(whole)
        arguments = ["opt", "case.sonoc", "--check-passes", "--reduced=small.sonoc"]
        if wanted in PIPELINES:
            arguments.append(f"--passes={PIPELINES[wanted]}")
        status, said = run([str(build / "sonoc"), *arguments], folder)
        if status:
            return f"it is found wrong without the fault: {said}"
        program, wrong = build_mutant(build, folder, name, old, new, commands)
        if wrong:
            return wrong
        status, said = run([str(program), *arguments], folder)
        if status != 1 or f"pass '{wanted}' is not " not in said:
            return f"it is not caught, or another pass is blamed (status {status}): {said}"
        if not (folder / "small.sonoc").exists():
            return "no graph is written that shows it"
    return None


def main():
    """Try the mutants that are named, or all; print those that are not caught."""
    parser = argparse.ArgumentParser(description="Try whether faults in passes are caught.")
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("numbers", nargs="*", type=int)
    options = parser.parse_args()
    build = options.build.resolve()
    commands, missed = commands_of(build), 0
    numbers = options.numbers or range(len(MUTANTS))
    for i in numbers:
        wrong = try_mutant(build, MUTANTS[i], commands)
        if wrong:
            missed += 1
            print(f"mutant {i}, {MUTANTS[i][0]}, '{MUTANTS[i][3]}': {wrong}")
    print(f"{len(numbers)} faults, {missed} missed")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
