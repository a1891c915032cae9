"""The pinned corpus: real PyTorch packages from PyPI, unpacked for the other benchmarks.

    python benchmarks/corpus.py              download and unpack what is missing, print files and bytes
    python benchmarks/corpus.py --more       the same with the packages that only the seeded faults use

The cache is `benchmarks/.cache`, or the folder that CKPT_LINT_BENCHMARK_CACHE names. Every package becomes a repository
of its own, so that neither its project nor its ignored files depend on where the cache lies; a wheel gets a
pyproject.toml with the dependencies that its metadata names. pip checks the digests.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

KEPT = (".py", ".ipynb", ".toml", ".cfg", ".yml", ".yaml", ".lock", ".ini")


@dataclass(frozen=True)
class Package:
    """A distribution on PyPI, exactly."""

    name: str
    version: str
    sha256: str
    sdist: bool = False

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.name}-{self.version}"


PACKAGES = (
    Package("accelerate", "1.15.0", "97eacca0b73e45cb867dbf8c5d5d4dc32219544300e0c8992c7334dc2ef33cec"),
    Package("catalyst", "22.4", "2ae086d653bb3e5becaaac90349ba72ee76f884f5be74f0917a42c5826c66583"),
    Package("deepspeed", "0.19.8", "9e491abd0827ea5c389dd702e15e11e13d83d904bac4a20d6c2a4cb37207a9af", sdist=True),
    Package("diffusers", "0.42.1", "9154faa704ce00e0b77f568e0d64786064368528aab5fc14eeea92f87d788014"),
    Package("fairseq", "0.12.2", "34f1b18426bf3844714534162f065ab733e049597476daa35fffb4d06a92b524", sdist=True),
    Package("lightning", "2.6.6", "2bcbd6ee840071cd076c7dc9953d7ac1040df92f1c5fa76583aae644f037ab85"),
    Package("mmengine", "0.10.7", "262ac976a925562f78cd5fd14dd1bc9b680ed0aa81f0d85b723ef782f99c54ee"),
    Package("monai", "1.6.1", "dbd3b1dd309e752e0477ed73fde03b92f80ac74bfb8a8c4260f018b5d6ab2b0b"),
    Package("open_clip_torch", "3.3.0", "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce"),
    Package("peft", "0.21.2", "106ab6077ff72c54d21577f9af5970e34bac7582cb14209f7b2b511e322a4eae"),
    Package("pytorch_ignite", "0.5.5", "9a397b0899968612efd00ac75bad64f20a9a91a8244f37bdcb8888af61455cf9"),
    Package("pytorch_metric_learning", "2.9.0", "d51646006dc87168f00cf954785db133a4c5aac81253877248737aa42ef6432a"),
    Package("segmentation_models_pytorch", "0.6.0", "c46162221b5abe3bc296b222fbea8aa80d0b56e7130f7ddef654f707804534e2"),
    Package("sentence_transformers", "6.2.0", "ffb51ccfef65427cfa61776d0eeeb257600b0099cf0c7533ae9a6856d31e4665"),
    Package("speechbrain", "1.1.2", "9fea4144c917ea58bcf13f17a1a1759179ed7472a30ec8416e7c7c8cf21d9c9a"),
    Package("timm", "1.0.31", "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7"),
    Package("torchmetrics", "1.9.0", "bfdcbff3dd1d96b3374bb2496eb39f23c4b28b8a845b6a18c313688e0d2d9ca1"),
    Package("transformers", "5.23.0", "018e82fd07490ad5bb58414f65e31576033dc7f36bed10c574843f69b90991bf"),
    Package("trl", "1.16.0", "c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396"),
    Package("ultralytics", "8.4.190", "bd309728efa168af64d39040136828edd2dbcb4aeceb4510bdff4f3ca0ea01b8"),
)
MORE = (
    Package("espnet", "202511", "280573dab2d4a0c669f0801cb7b07fa7732dd53138990cc80519e53a72412d4c", sdist=True),
    Package("kornia", "0.9.0", "7a1632fe004a305c94f2b979fc6ab4df26e01f925e74bdb9f8b8a03a1229caaf"),
    Package("nemo_toolkit", "3.0.0", "f1d8238e35909464cf426e5792af3113a7060de419f194b83bedd81cbe909394"),
)


def cache_folder() -> Path:
    """Where downloads and unpacked packages lie."""
    named = os.environ.get("CKPT_LINT_BENCHMARK_CACHE")
    return Path(named) if named else Path(__file__).resolve().parent / ".cache"


def corpus(packages: tuple[Package, ...] = PACKAGES) -> list[Path]:
    """Return the folder of each package, downloaded and unpacked where it is not there yet."""
    return [_unpacked(package) for package in packages]


def python_files(folders: list[Path]) -> list[Path]:
    """List the python files below `folders`, sorted."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if path.is_file())


def _unpacked(package: Package) -> Path:
    folder = cache_folder() / "corpus" / package.folder
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Unpacked beside its place and moved there, so that an interrupted run leaves no half package.
    work = Path(tempfile.mkdtemp(prefix=f".{package.name}-", dir=folder.parent))
    try:
        archive = _downloaded(package)
        for name, data in _members(archive):
            if name.suffix in KEPT or (name.suffix == ".txt" and "requirements" in str(name)):
                target = work / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        if not package.sdist:
            (work / "pyproject.toml").write_text(_manifest_of_wheel(archive, package), encoding="utf-8")
        subprocess.run(["git", "init", "-q", str(work)], check=True)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return folder


def _downloaded(package: Package) -> Path:
    downloads = cache_folder() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    found = _archive_in(downloads, package)
    if found:
        return found
    wanted = downloads / f"{package.name}.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    # A source distribution needs its own build requirements for its metadata alone: what is installed serves.
    form = ["--no-binary", ":all:", "--no-build-isolation"] if package.sdist else ["--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *form, "--require-hashes"]
    subprocess.run([*command, "-d", str(downloads), "-r", str(wanted)], check=True)
    found = _archive_in(downloads, package)
    if not found:
        raise FileNotFoundError(f"pip left no archive of {package.folder}")
    return found


def _archive_in(downloads: Path, package: Package) -> Path | None:
    ends = (".tar.gz",) if package.sdist else (".whl",)
    stems = {package.folder.lower(), package.folder.lower().replace("_", "-")}
    for path in sorted(downloads.iterdir()):
        if path.name.endswith(ends) and path.name.lower().startswith(tuple(stem for stem in stems)):
            return path
    return None


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield name and bytes of each file of an archive; names that lead out of the folder are left out."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir() and _is_inside(info.filename):
                    yield PurePosixPath(info.filename), wheel.read(info)
        return
    with tarfile.open(archive) as sdist:
        for member in sdist:
            stream = sdist.extractfile(member) if member.isfile() else None
            name = member.name.partition("/")[2]
            if stream is not None and name and _is_inside(name):
                yield PurePosixPath(name), stream.read()


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in PurePosixPath(name).parts


def _manifest_of_wheel(wheel: Path, package: Package) -> str:
    """Write the dependencies of a wheel's metadata as the pyproject.toml that it was built from would have them."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    plain: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in metadata.get_all("Requires-Dist") or []:
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        requirement = re.sub(r"\s*(and\s+|;\s*)?extra == ['\"][^'\"]+['\"]", "", line).rstrip("; ")
        (extras.setdefault(extra[1], []) if extra else plain).append(requirement)
    lines = [
        "[project]",
        f'name = "{package.name}"',
        f'version = "{package.version}"',
        f"dependencies = {_array(plain)}",
    ]
    if extras:
        lines.append("[project.optional-dependencies]")
        lines.extend(f'"{extra}" = {_array(extras[extra])}' for extra in sorted(extras))
    return "\n".join(lines) + "\n"


def _array(items: list[str]) -> str:
    quoted = ", ".join("'" + item.replace("'", '"') + "'" for item in items)
    return f"[{quoted}]"


def main() -> None:
    """Fetch the corpus and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", action="store_true", help="also the packages for seeded faults")
    arguments = parser.parse_args()
    files = total = 0
    for folder in corpus(PACKAGES + MORE if arguments.more else PACKAGES):
        paths = python_files([folder])
        size = sum(path.stat().st_size for path in paths)
        print(f"{folder.name:45} {len(paths):6} files {size / 1e6:8.1f} MB")
        files, total = files + len(paths), total + size
    print(f"{'in all':45} {files:6} files {total / 1e6:8.1f} MB in {cache_folder()}")


if __name__ == "__main__":
    main()
