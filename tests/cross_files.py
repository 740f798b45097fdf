"""What C compilers must refuse, so that no program has other bits than it should; and fma in software."""

import shutil
import subprocess

from cross_models import FOLDER, HARNESS


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
