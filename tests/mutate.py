"""Mutation check: change a sign or drop a term, and see whether a test notices.

python tests/mutate.py [HOW_MANY [SEED]]

Not a test: it takes a minute for each mutant on one core. Mutants are drawn (60, with seed 0,
by default) from all that can be made of the analysis and of the verdicts; each is tried in a copy
of the repository, on the tests of its module. What no test noticed is printed as a line to look
at: some change nothing.
"""

import ast
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANALYSIS, VERDICTS = Path("shortcut1d/analysis"), Path("shortcut1d/harness/claims.py")
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
# By module, or by its folder.
TESTS = {
    "balance": ["analysis/test_balance.py"],
    "claims": ["harness/test_claims.py"],
    "complexity": ["analysis/test_complexity.py", "analysis/test_balance.py"],
    "intervals": [
        "analysis/test_measures.py",
        "analysis/test_oracles.py",
        "harness/test_claims.py",
    ],
    "linear": ["analysis/test_structure_test.py"],
    "noise_level": ["analysis/test_noise_level.py"],
    "portrait": ["analysis/test_portrait.py"],
    "products": ["analysis/test_portrait.py", "diagnosis/test_checks.py"],
    "sensitivity": ["analysis/test_sensitivity.py"],
    "structure": ["analysis/test_structure_test.py"],
}
OTHERS = [
    "analysis/test_measures.py", "analysis/test_oracles.py", "data/test_image_degradations.py",
]  # fmt: skip


def places(tree):
    """What can be mutated: nodes of functions and methods, and how."""
    found = []
    parts = [part for n in tree.body for part in (n.body if isinstance(n, ast.ClassDef) else [n])]
    functions = [part for part in parts if isinstance(part, ast.FunctionDef)]
    for node in (part for f in functions for statement in f.body for part in ast.walk(statement)):
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
            found.append((node, "swap"))
            if isinstance(node.op, ast.Add | ast.Sub):
                found.append((node, "drop"))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            found.append((node, "sign"))
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            found.append((node, "compare"))
    return found


def mutated(source, number):
    """The source with its mutation of that number, and the line before and after."""
    tree = ast.parse(source)
    node, how = places(tree)[number]
    before = ast.unparse(node)
    if how == "swap":
        node.op = SWAPS[type(node.op)]()
    elif how == "compare":
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif how == "sign":
        node.op = ast.UAdd()
    else:  # drop the second term
        node.op, node.right = ast.Add(), ast.Constant(0)
    return ast.unparse(tree), f"line {node.lineno}: {before}  ->  {ast.unparse(node)}"


def tests_of(file):
    """The tests that should notice a fault in a module."""
    return TESTS.get(file.stem) or TESTS.get(file.parent.name, OTHERS)


def passes(file, source, cache):
    """Whether the tests of a module pass, within an hour, with that source in its place."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("shortcut1d", "tests", "experiments", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, Path(folder) / part)
        (Path(folder) / file).write_text(source)
        tests = [f"tests/{name}" for name in tests_of(file)]
        command = [sys.executable, "-m", "pytest", "-qx", "-n0", "-pno:cacheprovider", "-m", ""]
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=folder, capture_output=True, check=False, timeout=3600,
                env=os.environ | {"PYTHONPATH": folder, "JAX_COMPILATION_CACHE_DIR": cache},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def main(how_many=60, seed=0):
    """Try some mutants, two at a time; the exit status."""
    files = [*sorted(p.relative_to(ROOT) for p in (ROOT / ANALYSIS).rglob("*.py")), VERDICTS]
    sources = {file: (ROOT / file).read_text() for file in files}
    every = [
        (file, number)
        for file, source in sources.items()
        for number in range(len(places(ast.parse(source))))
    ]
    chosen = random.Random(seed).sample(every, min(how_many, len(every)))
    noticed = 0
    with (
        tempfile.TemporaryDirectory() as cache,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        # Or whatever fails for another reason would count as noticed.
        sets = {tuple(tests_of(file)): file for file, _ in chosen}
        if not all(pool.map(lambda file: passes(file, sources[file], cache), sets.values())):
            sys.stdout.write("The tests do not pass as it is.\n")
            return 1
        changed = [mutated(sources[file], number) for file, number in chosen]
        tried = pool.map(lambda one, change: passes(one[0], change[0], cache), chosen, changed)
        for (file, _), (_, change), survived in zip(chosen, changed, tried):
            noticed += not survived
            if survived:
                sys.stdout.write(f"{file}, {change}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{noticed} of {len(chosen)} mutants noticed, of {len(every)} there are\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
