"""The pytest plugin: audiences and their examples as tests, in a run of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "segment_engine.pytest_plugin")

SHOP = """\
loyal:
  rule: totalOrders >= 3
  examples:
    - {consumer: {totalOrders: 3}, in: true}
    - {consumer: {totalOrders: 2, totalOrderValue: 10.50}, in: true}
vips: totalOrderValue > 100
"""
BROKEN = """\
typo:
  rule: totalOrdrs > 3
  examples: [{consumer: {}, in: false}]
"""


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a catalog, and YAML that is none of it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (pytester.path / "shop.yaml").write_text(SHOP, "utf-8")
    (pytester.path / "compose.yaml").write_text("services: {web: {image: x}}\n", "utf-8")
    pytester.makepyfile(test_other="def test_other(): pass")
    return pytester


def run(shop: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return shop.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *arguments)


def test_each_audience_and_each_example_is_a_test(shop: pytest.Pytester) -> None:
    result = run(shop, "shop.yaml", "-v")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "shop.yaml::loyal PASSED*",
            "shop.yaml::loyal[[]1] PASSED*",
            "shop.yaml::loyal[[]2] FAILED*",
            "shop.yaml::vips PASSED*",
        ]
    )


def test_a_failure_is_a_picture_and_no_traceback(shop: pytest.Pytester) -> None:
    result = run(shop, "shop.yaml")
    row = "5 |     - {consumer: {totalOrders: 2, totalOrderValue: 10.50}, in: true}"
    told = "the rule drops this consumer, against `in: true`: `totalOrders >= 3` is false"
    result.stdout.fnmatch_lines(
        [
            f"shop.yaml:5:7: error[[]example]: {told} (audience 'loyal')",
            row,
            "  |       ^^^^^^*",
            "  = help: mend the rule, or the example",
            'consumer  {"totalOrders": 2, "totalOrderValue": 10.5}',
            "rule      totalOrders >= 3",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_an_audience_that_is_wrong_fails_with_its_pictures(shop: pytest.Pytester) -> None:
    (shop.path / "broken.yaml").write_text(BROKEN, "utf-8")
    result = run(shop, "broken.yaml", "-rs")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["broken.yaml:2:9: error[[]unknown-field]: no field is called `totalOrdrs`*"]
    )
    result.stdout.fnmatch_lines(["SKIPPED*audience 'typo' itself is wrong"])


@pytest.mark.parametrize(
    ("arguments", "passed", "failed"),
    [
        ((), 1, 0),
        (("test_other.py",), 1, 0),
        ((".",), 1, 0),
        (("--segment-catalog", "shop.yaml"), 4, 1),
        (("--segment-catalog", "shop.yaml", "test_other.py"), 4, 1),
        (("--segment-catalog=shop.yaml", "shop.yaml"), 3, 1),
        (("shop.yaml", "-k", "loyal"), 2, 1),
        (("shop.yaml", "-k", "vips"), 1, 0),
        (("shop.yaml::loyal[1]",), 1, 0),
        (("shop.yaml::loyal",), 2, 1),
    ],
)
def test_only_what_is_named_is_a_catalog(
    shop: pytest.Pytester, arguments: tuple[str, ...], passed: int, failed: int
) -> None:
    run(shop, *arguments).assert_outcomes(passed=passed, failed=failed)


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [((), 4), (("test_other.py",), 1), (("folder",), 3), (("folder/b.yaml",), 2)],
)
def test_a_folder_is_one_catalog_and_a_setting_names_it(
    shop: pytest.Pytester, arguments: tuple[str, ...], passed: int
) -> None:
    shop.makeini("[pytest]\nsegment_catalogs = folder")
    shop.mkdir("folder")
    (shop.path / "folder/a.yaml").write_text("a: totalOrders > 3\n", "utf-8")
    example = "{consumer: {}, audiences: {a: true}, in: true}"
    text = f'b:\n  rule: in audience "a"\n  examples: [{example}]\n'
    (shop.path / "folder/b.yaml").write_text(text, "utf-8")
    run(shop, *arguments).assert_outcomes(passed=passed)


@pytest.mark.parametrize("name", ["nowhere.yaml", "nowhere"])
def test_a_catalog_that_is_not_there_is_a_usage_error(shop: pytest.Pytester, name: str) -> None:
    result = run(shop, "--segment-catalog", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --segment-catalog, *: there is no *{name}"])


def test_a_catalog_of_which_nothing_is_collected_fails(shop: pytest.Pytester) -> None:
    shop.mkdir("empty")
    result = run(shop, "test_other.py", "--segment-catalog", "empty")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["nothing was collected from *empty: there is no .yaml*"])


@pytest.mark.parametrize(
    ("text", "outcomes", "told"),
    [
        ("timezone: Mars\naudiences: {a: true}\n", {"errors": 1}, "there is no time zone 'Mars'"),
        ("a: [\n", {"failed": 1}, "*this is no YAML*"),
        ("just text\n", {"failed": 1}, "*this is the text 'just text'*"),
        ("timezne: UTC\naudiences: {a: 'true'}\n", {"failed": 1, "passed": 1}, "*timezone*"),
    ],
)
def test_a_file_that_is_no_catalog_fails_at_its_line(
    shop: pytest.Pytester, text: str, outcomes: dict[str, int], told: str
) -> None:
    (shop.path / "bad.yaml").write_text(text, "utf-8")
    result = run(shop, "bad.yaml")
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines([f"bad.yaml:*{told}*"])


def test_workers_collect_the_same(shop: pytest.Pytester) -> None:
    result = shop.runpytest_subprocess(*PLUGIN, "-n2", "--segment-catalog", "shop.yaml")
    result.assert_outcomes(passed=4, failed=1)


def test_a_run_without_catalogs_imports_nothing_heavy(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_other="""
        import sys
        def test_other():
            assert "segment_engine.pytest_plugin" in sys.modules
            assert not {"duckdb", "polars", "pyarrow", "rich"} & set(sys.modules)
        """
    )
    shop.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_it_may_be_both_installed_and_named(tmp_path: Path) -> None:
    """Pytest registers an entry point under its name, which is the module's own."""
    info = tmp_path / "site/shop_engine-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-engine\nVersion: 1\n")
    entry = "[pytest11]\nsegment_engine.pytest_plugin = segment_engine.pytest_plugin\n"
    (info / "entry_points.txt").write_text(entry)
    (info / "RECORD").write_text("segment_engine/__init__.py,,\n")
    (tmp_path / "shop.yaml").write_text(SHOP.replace("2, total", "4, total"), "utf-8")
    for more in ((), PLUGIN):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-W", "error", *more, "shop.yaml"],
            cwd=tmp_path,
            env={"PYTHONPATH": os.pathsep.join(map(str, (tmp_path / "site", ROOT))), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert "4 passed" in done.stdout, done.stdout + done.stderr
