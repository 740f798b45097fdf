"""Runs what the documentation shows: every command of README.md and docs/*.md, every worked example.

    python tests/docs.py --sonoc build/release/sonoc [PAGE.md ...]

A fenced block marked `sh` holds commands. Those of a page run in order, in a scratch folder of the page, with sonoc on
the PATH; the folder has model.onnx (ACSNet, narrow), in.npz (an input of it), the files of docs/examples, bench/,
examples/ and build/release.

A fenced block with file=PATH in its first line goes to that file of a copy of the tree: at its end, or with
before="TEXT" in front of the first line that begins so. The commands of a page that has such blocks run in the root of
the copy, where build/release is set up to build without optimisation; the pages share it, one after the other.

Pages that have a test of their own (RUN_ELSEWHERE) are only looked at.

A block with needs=TOOL is skipped, and that is told, where there is no such tool.

A command that stands elsewhere than in an `sh` block is an error, but for the scripts that set everything up; so is a
link to a file that is not there.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from readers import has_jit

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "examples/acsnet/acsnet_narrow_ts17.onnx"
RUN_ELSEWHERE = {"custom-operators.md": "plugins.py", "rules.md": "rules.py"}  # page: its own test
NEEDS_LLVM = {"machine-code.md"}
NOT_COPIED = shutil.ignore_patterns("build", ".*", "__pycache__", "examples", "bench", "scripts")

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.M)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
COMMAND = re.compile(r"^(?:    |\$ )(?:\S*/)?(?:sonoc|python3?|cmake|ctest|gcc|cc)\b.*", re.M)


class Failure(Exception):
    """A page that shows what does not work."""


class Page:
    """A page: its blocks as (language, settings, text)."""

    def __init__(self, path):
        self.name, self.blocks = path.name, []
        text = path.read_text()
        for first, body in FENCE.findall(text):
            language, *words = shlex.split(first) or [""]
            self.blocks.append((language, dict(word.split("=", 1) for word in words), body))
        stray = COMMAND.search(FENCE.sub("", text))
        if stray:
            raise Failure(f"{self.name}: no test runs `{stray[0].strip()}`: put it into a block marked sh")
        lost = [link for link in LINK.findall(text) if not (path.parent / link).exists()]
        if lost:
            raise Failure(f"{self.name}: links to {', '.join(lost)}, which is not there")

    @property
    def changes_tree(self):
        """Does it have code for files of the tree?"""
        return any("file" in settings for _, settings, _ in self.blocks)

    def run(self, folder, path):
        """Do what the blocks say, in order."""
        environment = os.environ | {"PATH": path, "CMAKE_BUILD_PARALLEL_LEVEL": "2", "PYTHONDONTWRITEBYTECODE": "1",
                                    "XDG_CACHE_HOME": str(folder.resolve() / ".cache")}
        for language, settings, body in self.blocks:
            if "file" in settings:
                insert(folder / settings["file"], settings.get("before"), body)
            elif language == "sh" and "needs" in settings and not shutil.which(settings["needs"]):
                print(f"skipped: a block of {self.name}: {settings['needs']} not found")
            elif language == "sh":
                self.run_commands(body, folder, environment)
        return sum(language == "sh" for language, _, _ in self.blocks)

    def run_commands(self, body, folder, environment):
        """Run a block by the shell; the first command that fails is told with what it said."""
        done = subprocess.run(["sh", "-eux"], input=body, cwd=folder, env=environment, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Failure(f"{self.name}: status {done.returncode} of\n{body}which said\n{done.stdout[-3000:]}")


def insert(path, before, body):
    """Put text into a file: in front of a line, at its end, or as all of it."""
    text = path.read_text() if path.exists() else ""
    place = len(text) if before is None else ("\n" + text).find("\n" + before)
    if place < 0 or (before and not path.exists()):
        raise Failure(f"{path.name} has no line that begins with {before}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text[:place] + body + text[place:])


def run_use_page(page, sonoc):
    """Run a page that uses sonoc as it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(MODEL, folder / "model.onnx")
        image = np.random.default_rng(1).standard_normal((1, 3, 256, 256))
        np.savez(folder / "in.npz", image=image.astype(np.float32))
        for path in (ROOT / "docs/examples").iterdir():
            shutil.copy(path, folder)
        (folder / "bench").symlink_to(ROOT / "bench")
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "build").mkdir()
        (folder / "build/release").symlink_to(sonoc.parent)
        return page.run(folder, search_path(sonoc.parent))


def run_tree_pages(pages):
    """Run the pages that change the tree, on a copy of it."""
    if not pages:
        return 0
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "sonoc"
        shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
        shutil.copytree(ROOT / "docs/examples", tree / "docs/examples")
        subprocess.run(["cmake", "-S", ".", "-B", "build/release", "-G", "Ninja", "-DCMAKE_C_FLAGS=-O0"], cwd=tree,
                       check=True, stdout=subprocess.DEVNULL)
        return sum(page.run(tree, search_path(tree / "build/release")) for page in pages)


def search_path(folder):
    """PATH with sonoc's folder and this Python in front."""
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def main():
    """Run the pages named, or all, two at a time."""
    parser = argparse.ArgumentParser(description="Run what the documentation shows.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("pages", nargs="*", type=Path)
    options = parser.parse_args()
    sonoc, failed = options.sonoc.resolve(), 0
    paths = options.pages or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for path in [] if has_jit(sonoc) else [path for path in paths if path.name in NEEDS_LLVM]:
        print(f"skipped: {path.name}: sonoc was built without LLVM")
        paths.remove(path)

    def run(label, function, *arguments):
        begin = time.monotonic()
        try:
            return f"{label}: {function(*arguments)} blocks, {time.monotonic() - begin:.0f} s", 0
        except Failure as failure:
            return str(failure), 1

    pages = []
    for path in paths:
        try:
            pages.append(Page(path))
        except Failure as failure:
            failed += 1
            print(failure)
    pages = [page for page in pages if page.name not in RUN_ELSEWHERE]
    jobs = [("pages that change the tree", run_tree_pages, [page for page in pages if page.changes_tree])]
    jobs += [(page.name, run_use_page, page, sonoc) for page in pages if not page.changes_tree and page.blocks]
    with ThreadPoolExecutor(2) as pool:
        for text, wrong in pool.map(lambda job: run(*job), jobs):
            failed += wrong
            print(text)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
