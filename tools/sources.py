"""Which files are ours. Needs no git: a source archive is enough."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ("src", "apps", "tests", "benchmarks", "tools", "cmake", "docs", "deploy", ".ci")
SKIPPED = {"build", "__pycache__", "corpus", ".git"}


def all_files(root=ROOT):
    """Paths relative to `root`, sorted."""
    found = [name for name in os.listdir(root) if name != ".git" and os.path.isfile(os.path.join(root, name))]
    for top in FOLDERS:
        for folder, inner, names in os.walk(os.path.join(root, top)):
            inner[:] = [name for name in inner if name not in SKIPPED]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def cpp_files(root=ROOT):
    return [path for path in all_files(root) if path.endswith((".cpp", ".hpp"))]
