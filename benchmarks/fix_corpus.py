"""Fix a copy of the whole corpus and look at everything that was changed.

    python benchmarks/fix_corpus.py [--packages N] [FOLDER ...]

With `--fix --unsafe-fixes`: no file ends in an internal error, every changed file still compiles, each fix alone makes
differences of its rule's declared shape and no other, all fixes of a file together do not either, files without a fix
keep their bytes, and a second run changes nothing. FOLDERs are checked instead of the pinned packages.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpus import corpus
from differences import differences, foreign
from measure import ckpt_lint, expect, measured, work_folder

Finding = dict[str, Any]
DECLARED = """
import json
from ckpt_lint.rules import ALL
print(json.dumps({rule.code: rule.fix_shape for rule in ALL}))
"""
_LINE_END = re.compile(r"\r\n|\r|\n")


def main() -> None:
    """Run and say what was found to be wrong; the exit status is 1 where anything was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--packages", type=int, help="take the first N packages only, for a try")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    copy = copied(arguments.folders or corpus()[: arguments.packages])
    shapes = declared_shapes()
    found = run(copy)
    wrong = [f"internal error: {row['filename']}: {row['message']}" for row in found if "internal" in str(row["code"])]
    wrong += each_fix_alone(found, shapes)
    before = texts(copy)
    run(copy, "--fix", "--unsafe-fixes")
    after = texts(copy)
    wrong += all_fixes(before, after, found, shapes)
    run(copy, "--fix", "--unsafe-fixes")
    again = texts(copy)
    wrong += [f"a second run changes {name}" for name in after if again.get(name) != after[name]]
    changed = [name for name in before if after.get(name) != before[name]]
    fixable = Counter(row["code"] for row in found if row.get("fix"))
    print(f"{len(before)} files, {len(found)} findings, fixes by rule: {dict(sorted(fixable.items()))}")
    print(f"{len(changed)} files changed, {len(wrong)} complaints")
    print("\n".join(wrong))
    shutil.rmtree(copy)
    sys.exit(1 if wrong else 0)


def copied(folders: list[Path]) -> Path:
    """Copy the folders to where they may be changed, each a repository of its own."""
    target = work_folder("fixed")
    shutil.rmtree(target, ignore_errors=True)
    for folder in folders:
        shutil.copytree(folder, target / folder.name, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        subprocess.run(["git", "init", "-q", str(target / folder.name)], check=True)
    return target


def declared_shapes() -> dict[str, str | None]:
    """Ask ckpt-lint which shape each rule declares for its fixes."""
    cost = expect(measured([sys.executable, "-c", DECLARED]), (0,), "the list of rules")
    declared: dict[str, str | None] = json.loads(cost.output)
    return declared


def run(copy: Path, *options: str) -> list[Finding]:
    """Run ckpt-lint on the copy with all rules on and return its findings."""
    command = [*ckpt_lint(), "check", "--isolated", "--select", "ALL", "--output-format", "json", *options, str(copy)]
    cost = expect(measured(command), (0, 1, 3), "ckpt-lint")
    rows: list[Finding] = json.loads(cost.output)
    return rows


def texts(copy: Path) -> dict[str, bytes]:
    """Read every file below `copy`."""
    return {str(path): path.read_bytes() for path in sorted(copy.rglob("*.py")) if path.is_file()}


def each_fix_alone(found: list[Finding], shapes: dict[str, str | None]) -> list[str]:
    """Apply each fix alone and hold what differs against the shape that its rule declares."""
    wrong = []
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for row in found:
        if row.get("fix") and row["filename"].endswith(".py"):
            by_file[row["filename"]].append(row)
    for name, rows in sorted(by_file.items()):
        text = decoded(Path(name).read_bytes())
        for row in rows:
            place = f"{name}:{row['location']['row']}: {row['code']}"
            try:
                made = differences(text, applied(text, row["fix"]["edits"]))
            except SyntaxError as error:
                wrong.append(f"{place}: its fix alone does not parse: {error}")
                continue
            odd = foreign(shapes.get(row["code"]), made)
            if odd or (not made and shapes.get(row["code"]) != "comment-removed"):
                wrong.append(f"{place}: declared {shapes.get(row['code'])}, differs by {made}")
    return wrong


def all_fixes(
    before: dict[str, bytes], after: dict[str, bytes], found: list[Finding], shapes: dict[str, str | None]
) -> list[str]:
    """Look at what all fixes of a file together made of it."""
    codes: dict[str, set[str]] = defaultdict(set)
    for row in found:
        if row.get("fix"):
            codes[str(Path(row["filename"]).resolve())].add(row["code"])
    wrong = [f"{name} is gone" for name in before if name not in after]
    for name, old in before.items():
        new = after.get(name, old)
        if hashlib.sha256(old).digest() == hashlib.sha256(new).digest():
            continue
        of_file = codes[str(Path(name).resolve())]
        try:
            compile(new, name, "exec", dont_inherit=True)
            made = differences(decoded(old), decoded(new))
        except (SyntaxError, ValueError) as error:
            wrong.append(f"{name} does not compile after its fixes: {error}")
            continue
        odd = [one for one in made if all(foreign(shapes.get(code), [one]) for code in of_file)]
        if odd or not of_file:
            wrong.append(f"{name}: fixes of {sorted(of_file)} differ by {sorted(set(odd)) or made}")
        if comments(old) - comments(new):
            wrong.append(f"{name}: comments are gone: {sorted(comments(old) - comments(new))[:3]}")
    return wrong


def comments(data: bytes) -> Counter[str]:
    """Count the comments of a file, those that silence rules aside."""
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    found = (token.string for token in tokens if token.type == tokenize.COMMENT)
    return Counter(text for text in found if "noqa" not in text)


def decoded(data: bytes) -> str:
    """Decode as Python does it; newlines stay as they stand."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


def applied(text: str, edits: Iterable[dict[str, Any]]) -> str:
    """Apply the edits of one fix, which count rows and columns from 1."""
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def offset(place: dict[str, int]) -> int:
        return int(starts[place["row"] - 1] + place["column"] - 1) if place["row"] <= len(starts) else len(text)

    spans = [(offset(edit["location"]), offset(edit["end_location"]), edit["content"] or "") for edit in edits]
    for start, end, content in sorted(spans, reverse=True):
        text = text[:start] + content + text[end:]
    ast.parse(text)
    return text


if __name__ == "__main__":
    main()
