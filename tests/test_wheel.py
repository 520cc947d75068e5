"""The package as users get it: built from its source archive, installed, far from the sources."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
RUN_A_RULE = """
import polars, segment_engine
people = polars.DataFrame({"id": ["00012", "00013"], "totalOrders": [3, 1]})
rule = segment_engine.Engine().rule("totalOrders >= 2")
print(segment_engine.__file__, rule.members(people, engine="duckdb"), sep="\\n")
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel made from that archive alone."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, REPOSITORY, cwd=out)
    return out


@pytest.fixture(scope="module")
def environment(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment: the wheel, libraries seen through a path, nothing fetched."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home)
    python = home / "bin" / "python"
    (wheel,) = archives.glob("*.whl")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--isolated",
        "--quiet",
    ]
    run(*pip, "install", "--no-index", "--no-deps", wheel, cwd=home)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site.strip(), "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    return home


def run(*command: str | Path, cwd: Path) -> str:
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_the_grammar_only(archives: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"segment_engine/grammar/audience.lark", "segment_engine/py.typed"} <= set(names)
    folders = {name.split("/")[0] for name in names}
    assert {folder.split("-")[0] for folder in folders} == {"segment_engine"}
    assert not [name for name in names if "CDNOW" in name or "__pycache__" in name]


def test_the_source_archive_leaves_the_purchases_out(archives: Path) -> None:
    (source,) = archives.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        folders = {Path(name).parts[1] for name in archive.getnames() if "/" in name}
    wanted = {"segment_engine", "grammar", "pyproject.toml", "LICENSE"}
    assert wanted <= folders
    assert not folders & {"tests", "benchmarks"}


def test_an_installed_package_parses_and_runs_a_rule(environment: Path, tmp_path: Path) -> None:
    printed = run(environment / "bin" / "python", "-c", RUN_A_RULE, cwd=tmp_path)
    where, members = printed.splitlines()
    assert Path(where).is_relative_to(environment)
    assert "00012" in members and "00013" not in members


def test_an_installed_command_checks_a_rule(environment: Path, tmp_path: Path) -> None:
    run(environment / "bin" / "segment-engine", "check", "totalOrders >= 2", cwd=tmp_path)


def test_an_installed_plugin_is_found_by_pytest(environment: Path, tmp_path: Path) -> None:
    example = "{consumer: {totalOrders: 2}, in: true}"
    text = f"loyal:\n  rule: totalOrders >= 2\n  examples: [{example}]\n"
    (tmp_path / "shop.yaml").write_text(text, "utf-8")
    printed = run(
        environment / "bin" / "python", "-m", "pytest", "-W", "error", "shop.yaml", cwd=tmp_path
    )
    assert "2 passed" in printed
