"""What manifests of every kind say of torch."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from ckpt_lint.project.bounds import BoundsCache, TorchBounds, declared_torch, parse_override
from ckpt_lint.project.root import project_root


def declared(folder: object, files: dict[str, str], path: str = "train.py", **more: object) -> TorchBounds:
    """Write `files` below `folder`, make it a repository and ask what is declared for `path`."""
    base = str(folder)
    for name, text in files.items():
        full = os.path.join(base, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(textwrap.dedent(text))
    os.makedirs(os.path.join(base, ".git"), exist_ok=True)
    cache = BoundsCache()
    full = os.path.join(base, path)
    return declared_torch(full, project_root(full, cache.roots), cache=cache, **more)  # type: ignore[arg-type]


def span(bounds: TorchBounds) -> str:
    """The declared range, or "-"."""
    return str(bounds.range) if bounds.declared else "-"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torch>=1.5.0\n", ">=1.5.0"),
        ("torch==1.6.0", "==1.6.0"),
        ("numpy\ntorch\n", "-"),
        ("Torch >= 1.8 , < 2.0  # see https://pytorch.org", ">=1.8,<2.0"),
        ("pytorch==1.7.1", "==1.7.1"),
        ("pytorch-lightning==1.7.1\ntorchvision==0.8\nema-pytorch>=0.4.2", "-"),
        ("torch~=2.1", ">=2.1,<3"),
        ("torch~=2.1.2", ">=2.1.2,<2.2"),
        ("torch==2.1.*", ">=2.1,<2.2"),
        ("torch===2.0.1", "==2.0.1"),
        ("torch>2.5", ">2.5"),
        ("torch<=2.5.1", ">=1.13,<=2.5.1"),
        ("torch<1.10", "<1.10"),
        ("torch!=2.0.1", "-"),
        ("torch>=2.6.0.dev20250101", ">=2.6.0"),
        ("torch==1.13.1+cu117", "==1.13.1"),
        ("torch @ https://download.pytorch.org/whl/cu117/torch-1.13.1%2Bcu117-cp310-cp310-linux.whl", "==1.13.1"),
        ("https://download.pytorch.org/whl/cpu/torch-1.7.0%2Bcpu-cp38-cp38-linux_x86_64.whl", "==1.7.0"),
        ("torch @ git+https://github.com/pytorch/pytorch@v2.1.0", "==2.1.0"),
        ("torch @ git+https://github.com/pytorch/pytorch@main", "-"),
        ("-e git+https://github.com/someone/lib@v1.0#egg=lib\ntorch>=2", ">=2"),
        ("--find-links https://download.pytorch.org/whl/torch_stable.html\ntorch==1.9.0+cu111", "==1.9.0"),
        ("-f https://x.org/whl/torch-1.0-py3.whl\ntorch>=1.9", ">=1.9"),
        ("--extra-index-url https://download.pytorch.org/whl/cu118\ntorch>=2.0", ">=2.0"),
        ("torch==2.4.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nnumpy==1\n", "==2.4.1"),
        ("torch[opt-einsum]>=2.2", ">=2.2"),
        ('torch==1.13.1 ; python_version < "3.8"\ntorch>=2.1 ; python_version >= "3.8"', ">=1.13.1"),
        ('torch==2.2.0; sys_platform == "darwin"\ntorch==2.6.0; sys_platform != "darwin"', ">=2.2.0,<=2.6.0"),
        ('torch>=1.8\ntorch<2.3; sys_platform == "win32"', ">=1.8,<2.3"),
        ("torch>=1.8\ntorch<2\n", ">=1.8,<2"),
        ("torch=1.8.1", ">=1.8.1,<1.8.2"),
        ("# torch==1.0\n", "-"),
        ("\ufefftorch>=2.6", ">=2.6"),
    ],
)
def test_requirements(tmp_path: object, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {"requirements.txt": text})) == expected


def test_requirements_files_include_each_other(tmp_path: object) -> None:
    files = {
        "requirements.txt": "-r requirements/base.txt\n-c constraints.txt\n-r requirements.txt\n-r gone.txt\n",
        "requirements/base.txt": "torch>=1.10\n",
        "constraints.txt": "torch<2.5\n",
    }
    bounds = declared(tmp_path, files)
    assert span(bounds) == ">=1.10,<2.5"
    assert bounds.source == "constraints.txt: torch<2.5; requirements/base.txt: torch>=1.10" or bounds.source == (
        "requirements/base.txt: torch>=1.10; constraints.txt: torch<2.5"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "-r ../../secret.txt\n"),
        ("requirements.txt", "-c {outside}/secret.txt\n"),
        ("requirements.txt", "-r link.txt\n"),
        ("requirements-dev.txt", "-r folder/secret.txt\n"),
        ("setup.cfg", "[options]\ninstall_requires = file: ../../secret.txt\n"),
        ("pyproject.toml", "[project]\nname='p'\n[tool.setuptools.dynamic]\ndependencies = {{file = ['../../secret.txt']}}\n"),
    ],
)
def test_a_manifest_includes_nothing_outside_of_the_repository(tmp_path: Path, name: str, text: str) -> None:
    outside, inside = tmp_path / "a", tmp_path / "a" / "b" / "repo"
    inside.mkdir(parents=True)
    (outside / "secret.txt").write_text("torch==1.9 has a secret\ntorch<2\n")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / ".git").mkdir()
    bounds = declared(inside, {name: text.format(outside=outside)})
    assert "secret" not in repr(bounds.problems).replace("secret.txt", "") and not bounds.declared
    assert bounds.problems == () or "outside of the repository" in bounds.problems[0][2]
    (inside / ".git").rmdir()
    bounds = declared(outside, {f"b/repo/{name}": text.format(outside=outside)}, "b/repo/train.py")
    assert "has a secret" in repr(bounds), "inside it is read"


def test_many_requirements_files_that_include_each_other_are_read_once(tmp_path: object) -> None:
    everything = "".join(f"-r requirements{number}.txt\n" for number in range(30))
    files = {f"requirements{number}.txt": f"torch>=2.{number}\n" + everything for number in range(30)}
    assert span(declared(tmp_path, files)) == ">=2.29"


def test_a_folder_of_requirements_is_read(tmp_path: object) -> None:
    assert span(declared(tmp_path, {"requirements/train.txt": "torch>=2.6\n"})) == ">=2.6"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[project]\nname = "a"\ndependencies = ["numpy", "torch>=2.0"]', ">=2.0"),
        ('[project]\nname = "a"\n[project.optional-dependencies]\ntrain = ["torch>=2.6,<3"]', ">=2.6,<3"),
        ('[dependency-groups]\ndev = ["p", {include-group = "x"}]\nx = ["torch==2.7.0"]\n[project]\na=1', "==2.7.0"),
        ('[project]\ndependencies = ["torch>=1.8"]\n[dependency-groups]\ndev = ["torch>=2.6"]', ">=2.6"),
        ('[project.optional-dependencies]\ncpu = ["torch==2.5.0"]\ncu = ["torch==2.6.0"]', ">=2.5.0,<=2.6.0"),
        ('[tool.poetry.dependencies]\npython = "^3.8"\ntorch = "^2.0"', ">=2.0,<3"),
        ('[tool.poetry.dependencies]\ntorch = "^0.4.1"', ">=0.4.1,<0.5"),
        ('[tool.poetry.dependencies]\ntorch = "~2.1"', ">=2.1,<2.2"),
        ('[tool.poetry.dependencies]\ntorch = "~2"', ">=2,<3"),
        ('[tool.poetry.dependencies]\ntorch = "1.13.1"', "==1.13.1"),
        ('[tool.poetry.dependencies]\ntorch = "*"', "-"),
        ('[tool.poetry.dependencies]\ntorch = "2.1.*"', ">=2.1,<2.2"),
        ('[tool.poetry.dependencies]\ntorch = ">=1.8 <2.0 || >=2.4,<2.6"', ">=1.8,<2.6"),
        ('[tool.poetry.dependencies]\ntorch = {version = "^1.12", source = "pytorch", optional = true}', ">=1.12,<2"),
        ('[tool.poetry.dependencies]\ntorch = {url = "https://x/torch-1.12.0%2Bcu113-cp39.whl"}', "==1.12.0"),
        ('[tool.poetry.dependencies]\ntorch = {git = "https://github.com/pytorch/pytorch.git"}', "-"),
        (
            '[tool.poetry.dependencies]\ntorch = [{version="2.2.0", markers="x"}, {version="2.6.0", markers="y"}]',
            ">=2.2.0,<=2.6.0",
        ),
        ('[tool.poetry.group.dev.dependencies]\ntorch = ">=2.6"', ">=2.6"),
        ('[tool.pdm.dev-dependencies]\nml = ["torch>=2.3"]', ">=2.3"),
        ('[tool.uv]\nconstraint-dependencies = ["torch<2.6"]', ">=1.13,<2.6"),
        ('[tool.hatch.envs.train]\ndependencies = ["torch>=2.6"]', ">=2.6"),
        ('[tool.pixi.dependencies]\npytorch = ">=2.4,<3"', ">=2.4,<3"),
        ('[project]\nkeywords = ["torch", "pytorch"]\n[tool.isort]\nknown_third_party = ["torch"]', "-"),
        ('[project]\ndependencies = ["ema-pytorch>=0.4.2", "pytorch-fid", "torch>=2.0"]', ">=2.0"),
    ],
)
def test_pyproject(tmp_path: object, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {"pyproject.toml": text})) == expected


def test_pyproject_takes_dependencies_from_the_files_it_names(tmp_path: object) -> None:
    files = {
        "pyproject.toml": '[project]\n[tool.setuptools.dynamic]\ndependencies = {file = ["deps.txt"]}\n',
        "deps.txt": "torch>=2.6\n",
    }
    assert span(declared(tmp_path, files)) == ">=2.6"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[options]\ninstall_requires =\n    numpy\n    torch >= 1.4, < 2  # old\n", ">=1.4,<2"),
        ("[options.extras_require]\ngpu =\n    torch>=2.6\n    x\n", ">=2.6"),
        ("[flake8]\nmax-line-length = 100\n[isort]\nknown_third_party = torch\n", "-"),
        ("[options]\ninstall_requires = file: deps.txt\n", ">=2.1"),
        ("[metadata]\ndescription = 100% torch\n[options]\ninstall_requires = torch==1.9\n", "==1.9"),
    ],
)
def test_setup_cfg(tmp_path: object, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {"setup.cfg": text, "deps.txt": "torch>=2.1"})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from setuptools import setup\nsetup(name='x', install_requires=['numpy', 'torch>=1.6'])", ">=1.6"),
        ("setup(install_requires=['torch'], keywords=['torch>=9'])", "-"),
        ("REQ = ['torch>=1.6', 'tqdm']\nsetup(install_requires=REQ + ['x'])", ">=1.6"),
        ("setup(extras_require={'gpu': ['torch>=2.6'], 'dev': ('pytest',)})", ">=2.6"),
        ("extras = {}\nextras['torch'] = ['torch>=1.10']\nsetup(extras_require=extras)", ">=1.10"),
        ("requires = []\nrequires.append('torch>=1.8')\nsetup(install_requires=requires)", ">=1.8"),
        ("install_requires = ['numpy']\ninstall_requires += ['torch>=1.8']", ">=1.8"),
        ("V = '1.8.0'\nsetup(install_requires=[f'torch>={V}', 'x'])", ">=1.8.0"),
        ("V = '1.8.0'\nV = '2.6'\nsetup(install_requires=[f'torch>={V}', 'x'])", "-"),
        ("if WINDOWS:\n    requires = ['torch==1.9']\nelse:\n    requires = ['torch>=2.6']", ">=1.9"),
        ("def main():\n    setup(install_requires=['torch >= 2.0'])\n", ">=2.0"),
        ("setup(install_requires=open('requirements.txt').read().splitlines())", "-"),
        ("DEPS = {'torch': '>=1.7', 'x': '*'}", ">=1.7"),
        ("setup(long_description='needs torch >= 1.0 to run', classifiers=['torch>=1.0'])", "-"),
        ("setup(setup_requires=['torch>=3'])", "-"),
        ("_deps = ['torch>=2.2', 'a']\nx = 'torch'\nsetup(install_requires=deps_list('torch'))", ">=2.2"),
        ("setup(**dict(install_requires=['torch>=2.6']))", ">=2.6"),
    ],
)
def test_setup_py(tmp_path: object, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {"setup.py": text})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dependencies:\n  - python=3.8\n  - pytorch=1.4.0=py3.8_cuda10.1\n", ">=1.4.0,<1.4.1"),
        ("name: x\ndependencies:\n- pytorch=1.8\n- torchvision=0.9\n", ">=1.8,<1.9"),
        ("dependencies:\n  - pytorch==1.8.1\n", "==1.8.1"),
        ("dependencies:\n  - pytorch>=1.8,<2.0  # [linux]\n", ">=1.8,<2.0"),
        ("dependencies:\n  - pytorch >=1.8.*\n", ">=1.8"),
        ("dependencies:\n  - 'pytorch::pytorch>=2.6'\n", ">=2.6"),
        ("dependencies:\n  - conda-forge/linux-64::pytorch=2.1.0\n", ">=2.1.0,<2.1.1"),
        ("dependencies:\n  - pytorch 1.9.* cuda*\n", ">=1.9,<1.10"),
        ("dependencies:\n  - pytorch=1.8|2.1.*\n", ">=1.8,<2.2"),
        ("dependencies:\n  - pytorch[version='>=2.6',build=cuda*]\n", ">=2.6"),
        ("dependencies: [python=3.9, pytorch=2.0]\n", ">=2.0,<2.1"),
        ("dependencies:\n  - pytorch\n  - pip\n  - pip:\n    - torch==1.9.0\n    - x==1\nprefix: /home/x\n", "==1.9.0"),
        (
            "dependencies:\n  - pip:\n      - '-r requirements.txt'\n      - torch>=2.6\n  - pytorch-cuda=11.8\n",
            ">=2.6",
        ),
        ("dependencies:\n  - pytorch-lightning=1.5\n  - pytorch-cuda=11.7\n", "-"),
        ("channels:\n  - pytorch\ndependencies:\n  - python=3.8\n", "-"),
        ("dependencies:\n  - pip:\n    - https://x.org/torch-1.7.0%2Bcpu-cp38-cp38-linux_x86_64.whl\n", "==1.7.0"),
    ],
)
def test_environment(tmp_path: object, text: str, expected: str) -> None:
    bounds = declared(tmp_path, {"environment.yml": text})
    assert (span(bounds), bounds.unreadable) == (expected, ())


LOCK = '[[package]]\nname = "timm"\nversion = "1.0"\n\n[[package]]\nname = "torch"\nversion = "2.4.1"\n'


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("poetry.lock", LOCK, "==2.4.1"),
        ("uv.lock", LOCK + '\n[[package]]\nname = "torch"\nversion = "2.6.0+cu124"\n', ">=2.4.1,<=2.6.0"),
        ("pdm.lock", LOCK.replace("torch", "torchvision"), "-"),
        ("Pipfile", '[packages]\ntorch = ">=1.8"\nnumpy = "*"\n', ">=1.8"),
        ("Pipfile.lock", '{"default": {"torch": {"version": "==1.9.0"}}}', "==1.9.0"),
        ("conda-lock.yml", "package:\n- name: pytorch\n  version: 2.1.0\n  m: c\n- name: z\n  version: 9\n", "==2.1.0"),
        ("conda-lock.yml", "package:\n  - category: main\n    name: z\n", "-"),
    ],
)
def test_locks(tmp_path: object, name: str, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {name: text})) == expected


def test_a_lock_speaks_only_where_nothing_else_has_a_bound(tmp_path: object) -> None:
    assert span(declared(tmp_path, {"poetry.lock": LOCK, "requirements.txt": "torch\n"})) == "==2.4.1"
    assert span(declared(tmp_path, {"poetry.lock": LOCK, "requirements.txt": "torch>=1.8\n"})) == ">=1.8"


def test_manifests_of_one_folder_are_intersected(tmp_path: object) -> None:
    bounds = declared(
        tmp_path, {"requirements.txt": "torch<2.8", "pyproject.toml": '[project]\ndependencies=["torch>=2.6"]'}
    )
    assert span(bounds) == ">=2.6,<2.8"
    assert bounds.source == "pyproject.toml: torch>=2.6; requirements.txt: torch<2.8"
    assert bounds.default_is_safe


def test_the_nearest_folder_that_names_torch_counts(tmp_path: object) -> None:
    files = {"requirements.txt": "torch>=2.6", "a/requirements.txt": "numpy", "b/requirements.txt": "torch"}
    assert span(declared(tmp_path, files, "a/train.py")) == ">=2.6"
    near = declared(tmp_path, files, "b/c/train.py")
    assert (span(near), near.named, near.lower is not None) == ("-", True, True)


def test_a_project_inside_a_repository_inherits_what_the_repository_declares(tmp_path: object) -> None:
    files = {"requirements.txt": "torch>=2.6", "sub/pyproject.toml": '[project]\nname="x"\ndependencies=["numpy"]'}
    assert span(declared(tmp_path, files, "sub/x.py")) == ">=2.6"


def test_without_a_repository_nothing_above_the_project_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "setup.py").write_text("")
    (tmp_path / "requirements.txt").write_text("torch>=2.6")
    path, cache = str(tmp_path / "a" / "x.py"), BoundsCache()
    assert not declared_torch(path, project_root(path, cache.roots), cache=cache).named


def test_nothing_declared_means_1_13_and_newer(tmp_path: object) -> None:
    bounds = declared(tmp_path, {})
    assert not bounds.declared and not bounds.named and not bounds.default_is_safe
    assert bounds.admits("1.13") and bounds.admits("2.13") and not bounds.admits_below("1.13")
    assert bounds.admits_below("2.6") and bounds.admits_at_least("2.6") and not bounds.lacks_weights_only


def test_manifests_that_disagree(tmp_path: object) -> None:
    bounds = declared(
        tmp_path, {"requirements.txt": "torch==1.9", "setup.py": "setup(install_requires=['torch>=2.6'])"}
    )
    assert bounds.conflict and not bounds.declared and not bounds.default_is_safe
    assert bounds.admits("1.9") and bounds.admits("2.6") and not bounds.admits("1.8")
    said = "no torch fits all that is declared: requirements.txt: torch==1.9; setup.py: torch>=2.6"
    assert bounds.problems == (("requirements.txt", None, said),)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["torch>=2.6"\nname = ', "does not parse as TOML"),
        ("setup.py", "print 'torch'\nsetup(install_requires=['torch>=2.6'])", "does not parse as Python"),
        ("setup.cfg", "torch\n[options]\ninstall_requires = torch\n", "does not parse"),
        ("requirements.txt", "torch>=banana\n", "cannot read the requirement"),
        ("environment.yml", "dependencies:\n  - pytorch={{ v }}\n", "cannot read the dependency"),
        ("environment.yml", "dependencies:\n  - &t pytorch=1.2\n", "cannot read the dependency"),
        ("Pipfile.lock", '{"default": {"torch": ', "does not parse as JSON"),
        ("poetry.lock", LOCK.replace("2.4.1", "x"), "cannot read the version"),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorch = "newest"', "cannot read the version"),
    ],
)
def test_what_cannot_be_read_is_said_and_makes_the_default_unknown(
    tmp_path: object, name: str, text: str, line: str
) -> None:
    bounds = declared(tmp_path, {name: text})
    assert bounds.default_is_unknown and not bounds.declared
    (path, _, message), *_ = bounds.problems
    assert os.path.basename(path) == name
    assert message.startswith(line) and "\n" not in message


def test_a_broken_manifest_without_torch_is_no_matter(tmp_path: object) -> None:
    bounds = declared(
        tmp_path, {"pyproject.toml": "[project\n", "setup.py": "print 1", "requirements.txt": "torch>=2.6"}
    )
    assert bounds.default_is_safe and not bounds.problems


def test_an_unreadable_manifest_does_not_unsay_the_others(tmp_path: object) -> None:
    files = {"pyproject.toml": '[project]\ndependencies=["torch"\n[', "requirements.txt": "torch>=2.6"}
    assert declared(tmp_path, files).default_is_safe
    assert declared(tmp_path, {"requirements.txt": "numpy", "poetry.lock": LOCK}).default_is_unknown
    files["requirements.txt"] = "torch<2.6"
    assert not declared(tmp_path, files).default_is_unknown


def test_a_requirements_file_in_utf16_is_read(tmp_path: object) -> None:
    with open(os.path.join(str(tmp_path), "requirements.txt"), "wb") as stream:
        stream.write("torch==1.9.0\r\nnumpy\r\n".encode("utf-16"))
    assert span(declared(tmp_path, {})) == "==1.9.0"


SCRIPT = '#!/usr/bin/env python\n# /// script\n# dependencies = [\n#   "torch>=2.6",\n# ]\n# ///\nimport torch\n'


def test_a_script_block_beats_all(tmp_path: object) -> None:
    files = {"requirements.txt": "torch==1.9"}
    assert span(declared(tmp_path, files, source_text=SCRIPT)) == ">=2.6"
    assert span(declared(tmp_path, files, source_text=SCRIPT.replace("torch>", "numpy>"))) == "-"
    assert span(declared(tmp_path, files, source_text="import torch\n")) == "==1.9"
    assert span(declared(tmp_path, files, source_text='# /// script\n# requires-python = ">=3.11"\n# ///\n')) == "==1.9"


def test_a_notebook_writes_its_own_manifest(tmp_path: object) -> None:
    cells = (("requirements.txt", "torch==2.0.1\n"),)
    assert span(declared(tmp_path, {"requirements.txt": "torch>=2.6"}, notebook_manifests=cells)) == "==2.0.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.6", ">=2.6,<2.7"),
        ("2.6.1", "==2.6.1"),
        (">=2.4,<2.7", ">=2.4,<2.7"),
        ("1.13.1+cu117", "==1.13.1"),
        ("2", ">=2,<3"),
    ],
)
def test_the_setting_wins(tmp_path: object, text: str, expected: str) -> None:
    assert span(declared(tmp_path, {"requirements.txt": "torch==1.9"}, override=parse_override(text))) == expected


@pytest.mark.parametrize("text", ["", "newest", ">=2.6,<2.0", "2.6 or so"])
def test_a_wrong_setting_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no version of torch"):
        parse_override(text)
