"""Plant each hazard mechanically in real training code, and see whether exactly its rule finds it.

    python benchmarks/seeded.py [--list] [--sites N] [--only CKP201] [--write] [FOLDER ...]

Material is the pinned corpus and every FOLDER, such as checkouts of training repositories. The mutators (`seeding/`)
use `ast` and import nothing of ckpt_lint. All sites are written to `seeded_sites.tsv` in the cache before anything is
run, refused ones with the reason; a site where the rule speaks before the fault is planted is refused too. N sites of a
rule are drawn with a fixed seed, spread over files and projects, planted one in a file, and checked in their project.

A fault counts as found when its rule has a finding in the planted file that was not there before. Other new
findings of the file are counted by code: those that follow from the fault itself (`IMPLIED`) apart from the rest. Where
the new finding has a safe fix, it is applied, and the program must be the one from before the fault again.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from corpus import MORE, PACKAGES, cache_folder, corpus, python_files
from fix_corpus import applied, decoded
from measure import ckpt_lint, expect, measured, work_folder
from seeding import collective, grown, loading, order, restoring, saving, state
from seeding.expected import IMPLIED, IN_TESTS, REVERSIBLE, STRONGER, TESTS, WRITTEN
from seeding.reasons import REASONS
from seeding.source import Edit, Function, Mutator, Site, Source, apply
from seeding.wrapping import importable, wrappers

SEED = 5
SPOKE = "the rule speaks before the fault is planted"
STRONGER_SPOKE = "a stronger rule speaks of the same argument"
LARGEST = 300_000
AT_ONCE_IN_A_PROJECT = 8
AT_ONCE_IN_A_FOLDER = 3
MUTATORS: tuple[Mutator, ...] = tuple(
    mutator for family in (saving, state, loading, restoring, order, collective, grown) for mutator in family.MUTATORS
)
_TRAINS = (b"state_dict", b"torch.load", b"torch.save", b".step()")

HEAD = """\
# Seeded faults

Made by `benchmarks/seeded.py --write`. Sites: what the mutators take. Spoke: of those looked at, where the rule (or a
stronger one of the same argument, which then speaks alone) has a finding without the fault. Grown: of the planted, those
in code that was first given a right checkpoint. Clean: found, and nothing new of another rule but what follows from the
fault (implied), in percent of the planted. Fixed: faults with a safe fix; gone: where that leaves no finding of the rule;
restored: where it gives the program from before the fault, for fixes that are the fault's inverse.

| rule | sites | spoke | stronger | planted | grown | found | clean % | implied | other codes | fixed | gone | restored |
|---|---|---|---|---|---|---|---|---|---|---|---|---|"""
Finding = dict[str, Any]
Key = tuple[str, str]


@dataclass
class Planted:
    """A site in a file of a project, and what came of it."""

    path: Path
    project: Path
    site: Site
    found: bool = False
    others: Counter[str] = field(default_factory=Counter)
    fixed: str = ""
    gone: bool = False
    restored: bool = False

    @property
    def place(self) -> str:
        """File and line, as the list of sites names them."""
        return f"{self.path}:{self.site.row}"


def main() -> None:
    """List, plant, run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="more material, a project each")
    parser.add_argument("--packages", type=int, help="take the first N packages of the corpus only")
    parser.add_argument("--list", action="store_true", help="list the sites and stop")
    parser.add_argument("--sites", type=int, default=25, help="how many sites of a rule are planted (default: 25)")
    parser.add_argument("--only", action="append", help="only this rule (repeatable)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/seeded.md")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    top = material([*corpus((PACKAGES + MORE)[: arguments.packages]), *arguments.folders])
    sites = listed(top, set(arguments.only or []))
    if arguments.list:
        return
    # Twice as many as are wanted are looked at: where the rule speaks already, nothing can be planted.
    tried = drawn([planted for planted in sites if not planted.site.reason], 2 * arguments.sites)
    before = findings(sorted({planted.path for planted in tried}))
    # Code that is given a ground is looked at with that.
    usable = [planted for planted in tried if planted.site.ground or not refused(planted, before)]
    chosen = drawn(usable, arguments.sites)
    for number, batch in enumerate(rounds(chosen), 1):
        print(f"round {number}: {len(batch)} faults", file=sys.stderr)
        play(batch, before)
    text = table(sites, tried, chosen)
    print(text)
    if arguments.write:
        (Path(__file__).resolve().parent / "seeded.md").write_text(text, encoding="utf-8")
    shutil.rmtree(top)


def material(folders: list[Path]) -> Path:
    """Copy the material to where it may be changed, each folder a repository of its own."""
    top = work_folder("seeded")
    shutil.rmtree(top, ignore_errors=True)
    for folder in folders:
        shutil.copytree(folder, top / folder.name, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        subprocess.run(["git", "init", "-q", str(top / folder.name)], check=True)
    return top


def listed(top: Path, only: set[str]) -> list[Planted]:
    """Find all sites, write the list, and print how many of a rule are refused for which reason."""
    found: list[Planted] = []
    for project in sorted(top.iterdir()):
        names = wrappers(project)
        for path in python_files([project]):
            known = importable(path, project, names)
            found.extend(
                Planted(path, project, site) for site in sites_of(path, known) if not only or site.code in only
            )
    lines = [f"{one.site.code}\t{one.place}\t{one.site.what}\t{one.site.reason}" for one in found]
    target = cache_folder() / "seeded_sites.tsv"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reasons = Counter((one.site.code, one.site.reason) for one in found)
    for (code, reason), count in sorted(reasons.items()):
        print(f"{code} {count:5} {'refused: ' + reason if reason else 'sites'}")
    print(f"all sites: {target}")
    return found


def sites_of(path: Path, names: frozenset[str] = frozenset()) -> list[Site]:
    """The sites of one file; those whose fault would not be Python are refused."""
    data = path.read_bytes()
    if b"torch" not in data or not any(word in data for word in _TRAINS):
        return []
    try:
        source = Source(decoded(data), names)
    except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError):
        return []
    if len(data) > LARGEST or source.text.startswith("\ufeff"):
        return []
    sites = [site for mutator in MUTATORS for site in mutator(source)]
    sites = [replace(site, reason=site.reason or beyond(path, source, site)) for site in sites]
    return [checked(source, site) for site in sites]


def beyond(path: Path, source: Source, site: Site) -> str:
    """Why the rules do not speak of a whole file, "" where they do."""
    if site.code not in IN_TESTS and TESTS.search(path.as_posix().partition("/seeded-")[2]):
        return "a test"
    if not re.search(r"(?m)^[ \t]*(?:import torch\b|from torch\b)", source.text):
        return "torch comes from another file, by a star"
    if re.search(r"(?mi)^[ \t]*#[ \t]*flake8[:=][ \t]*noqa", source.text):
        return "the file is suppressed whole"
    return ""


def checked(source: Source, site: Site) -> Site:
    """Refuse a site whose fault does not parse or changes nothing."""
    if site.reason:
        return site
    new, old = apply(source.text, site.edits), apply(source.text, site.ground)
    try:
        same = ast.dump(ast.parse(new)) == ast.dump(ast.parse(old))
    except SyntaxError:
        return replace(site, reason="the fault is no Python")
    return replace(site, reason="the fault changes nothing") if same else site


def findings(paths: list[Path]) -> dict[Path, list[Finding]]:
    """Check files with all rules on, as a project that may run every torch from 2.1 on."""
    found: dict[Path, list[Finding]] = defaultdict(list)
    for start in range(0, len(paths), 400):
        some = [str(path) for path in paths[start : start + 400]]
        command = [*ckpt_lint(), "check", "--isolated", "--select", "ALL", "--torch-version", ">=2.1"]
        cost = expect(measured([*command, "--output-format", "json", *some]), (0, 1, 3), "ckpt-lint")
        for row in json.loads(cost.output):
            found[Path(row["filename"])].append(row)
    return found


def refused(planted: Planted, before: dict[Path, list[Finding]]) -> bool:
    """Whether the site is of no use: refused by its mutator, or its rule speaks of that function already."""
    if not planted.site.reason:
        low, high = extent(planted.path.read_bytes(), planted.site.row)
        near = {row["code"] for row in before.get(planted.path, []) if low <= row["location"]["row"] <= high}
        if planted.site.code in near:
            planted.site = replace(planted.site, reason=SPOKE)
        elif near & STRONGER.get(planted.site.code, frozenset()):
            planted.site = replace(planted.site, reason=STRONGER_SPOKE)
    return bool(planted.site.reason)


def extent(data: bytes, row: int) -> tuple[int, int]:
    """The rows of the outermost function or class around a row; all rows for a place outside of one."""
    tree = ast.parse(decoded(data))
    for node in tree.body:
        if isinstance(node, (*Function, ast.ClassDef)) and node.end_lineno and node.lineno <= row <= node.end_lineno:
            return node.lineno, node.end_lineno
    return 1, 10**9


def drawn(usable: list[Planted], most: int) -> list[Planted]:
    """Draw sites of each rule, in turn from the projects and files; code that needs a ground comes last."""
    random.seed(SEED)
    by_code: dict[str, list[Planted]] = defaultdict(list)
    for planted in usable:
        by_code[planted.site.code].append(planted)
    chosen: list[Planted] = []
    for code in sorted(by_code):
        members = by_code[code]
        random.shuffle(members)
        turn: Counter[Path] = Counter()
        order: list[tuple[bool, int, int, Planted]] = []
        for planted in sorted(members, key=lambda one: bool(one.site.ground)):
            turn[planted.project] += 1
            turn[planted.path] += 3
            order.append((bool(planted.site.ground), turn[planted.project] + turn[planted.path], len(order), planted))
        chosen.extend(planted for *_, planted in sorted(order, key=lambda one: one[:3])[:most])
    return chosen


def rounds(chosen: list[Planted]) -> list[list[Planted]]:
    """Put the faults into rounds: one in a file, few in a project at once."""
    made: list[list[Planted]] = []
    for planted in chosen:
        for batch in made:
            near = [one for one in batch if one.project == planted.project]
            beside = [one for one in near if one.path.parent == planted.path.parent]
            taken = any(one.path == planted.path or one.site.code in WRITTEN for one in near)
            taken = taken or (bool(near) and planted.site.code in WRITTEN)
            if len(near) < AT_ONCE_IN_A_PROJECT and len(beside) < AT_ONCE_IN_A_FOLDER and not taken:
                batch.append(planted)
                break
        else:
            made.append([planted])
    return made


def play(batch: list[Planted], before: dict[Path, list[Finding]]) -> None:
    """Plant the faults of a round, check their files, judge, and take the faults out again."""
    originals = {planted.path: planted.path.read_bytes() for planted in batch}
    grounds = {planted.path: originals[planted.path] for planted in batch}
    known = {planted.path: before.get(planted.path, []) for planted in batch}
    grown_here = [planted for planted in batch if planted.site.ground]
    try:
        for planted in grown_here:
            grounds[planted.path] = spoilt(originals[planted.path], planted.site.ground)
            planted.path.write_bytes(grounds[planted.path])
        known.update({path: [] for path in grounds if grounds[path] is not originals[path]})
        known.update(findings(sorted(planted.path for planted in grown_here)))
        for planted in grown_here:
            refused(planted, known)
        for planted in batch:
            planted.path.write_bytes(spoilt(originals[planted.path], planted.site.edits))
        after = findings(sorted(originals))
        for planted in batch:
            if not planted.site.reason:
                judge(planted, grounds[planted.path], known[planted.path], after.get(planted.path, []))
        fixed = [planted for planted in batch if planted.fixed]
        for planted in fixed:
            planted.path.write_bytes(planted.fixed.encode("utf-8"))
        after = findings(sorted(planted.path for planted in fixed))
        for planted in fixed:
            left = news(known[planted.path], after.get(planted.path, []), decoded(grounds[planted.path]), planted.fixed)
            planted.gone = all(row["code"] != planted.site.code for row in left)
    finally:
        for path, data in originals.items():
            path.write_bytes(data)


def spoilt(data: bytes, edits: tuple[Edit, ...]) -> bytes:
    """The file with some edits made."""
    return apply(decoded(data), edits).encode("utf-8")


def judge(planted: Planted, original: bytes, before: list[Finding], after: list[Finding]) -> None:
    """Compare the findings of a file with and without the fault."""
    text = decoded(planted.path.read_bytes())
    new = news(before, after, decoded(original), text)
    codes = {str(row["code"]) for row in new}
    if planted.site.code not in codes and codes & STRONGER.get(planted.site.code, frozenset()):
        planted.site = replace(planted.site, reason=STRONGER_SPOKE)
        return
    for row in new:
        if row["code"] != planted.site.code:
            planted.others[str(row["code"])] += 1
        else:
            planted.found = True
            fix = row.get("fix")
            if fix and fix["applicability"] == "safe":
                planted.fixed = applied(text, fix["edits"])
                planted.restored = ast.dump(ast.parse(planted.fixed)) == ast.dump(ast.parse(decoded(original)))


def news(before: list[Finding], after: list[Finding], old: str, text: str) -> list[Finding]:
    """Return the findings that are new: neither their message nor the line that they point at had one before.

    Of a rule that has no more findings than before none is: a fault may change the line of another one, and its words.
    """
    left = list(before)
    new = list(after)
    for same in (by_message, by_line):
        known: dict[Key, list[Finding]] = defaultdict(list)
        for row in left:
            known[same(row, old)].append(row)
        rest = []
        for row in new:
            if known[same(row, text)]:
                left.remove(known[same(row, text)].pop())
            else:
                rest.append(row)
        new = rest
    counts = Counter(str(row["code"]) for row in before)
    counts.subtract(str(row["code"]) for row in after)
    return [row for row in new if counts[str(row["code"])] < 0]


def by_message(row: Finding, text: str) -> Key:
    """Code and message, the lines that it names masked."""
    return str(row["code"]), re.sub(r"\d+", "#", row["message"])


def by_line(row: Finding, text: str) -> Key:
    """Code and text of the line: a message changes where another finding is named in it."""
    lines = re.split(r"\r\n|\r|\n", text)
    place = row["location"]["row"] - 1
    return str(row["code"]), lines[place].strip() if place < len(lines) else ""


def unexpected(planted: Planted) -> dict[str, int]:
    """The new findings of other rules that do not follow from the fault."""
    implied = IMPLIED.get(planted.site.code, frozenset())
    return {code: count for code, count in sorted(planted.others.items()) if code not in implied}


def table(sites: list[Planted], tried: list[Planted], chosen: list[Planted]) -> str:
    """The Markdown tables: one row a rule, and the faults that were not found as they should be."""
    lines = [HEAD]
    for code in sorted({one.site.code for one in sites}):
        mine = [one for one in chosen if one.site.code == code and not one.site.reason]
        found = [one for one in mine if one.found]
        clean = [one for one in found if not unexpected(one)]
        others: Counter[str] = Counter()
        implied: Counter[str] = Counter()
        for one in mine:
            others.update(unexpected(one))
            implied.update({name: count for name, count in one.others.items() if name not in unexpected(one)})
        reasons = Counter(one.site.reason for one in tried if one.site.code == code)
        fixed = [one for one in mine if one.fixed]
        cells = [
            code, sum(one.site.code == code and one.site.reason in ("", SPOKE, STRONGER_SPOKE) for one in sites),
            reasons[SPOKE], reasons[STRONGER_SPOKE], len(mine), sum(bool(one.site.ground) for one in mine), len(found),
            f"{100 * len(clean) / len(mine):.0f}" if mine else "-", named(implied), named(others), len(fixed) or "",
            sum(one.gone for one in fixed) if fixed else "",
            sum(one.restored for one in fixed) if fixed and code in REVERSIBLE else "",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    projects = sorted({one.project.name for one in sites})
    lines += ["", f"{len(projects)} packages and repositories: {', '.join(projects)}.", ""]
    lines += ["Not found, or found with something else beside:", ""]
    lines += [f"- {odd(one)}" for one in chosen if not one.site.reason and (not one.found or unexpected(one))]
    return "\n".join(lines) + "\n"


def odd(planted: Planted) -> str:
    """A fault that was not found as it should be, in one line; the place is that before the fault."""
    place = planted.path.relative_to(planted.project.parent).as_posix()
    what = "missed" if not planted.found else "also " + named(Counter(unexpected(planted)))
    why = REASONS.get((planted.site.code, place), "not looked into")
    return f"{planted.site.code} {place}:{planted.site.row}: {planted.site.what}: {what}: {why}"


def named(counts: Counter[str]) -> str:
    """Counts by code, on one line."""
    return ", ".join(f"{code} {count}" for code, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
