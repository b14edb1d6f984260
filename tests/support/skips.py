"""Names what was skipped and why at the end of a run, and refuses skips where everything is required."""

import os
from collections import defaultdict

import pytest

REQUIRE_ALL_VARIABLE = "WAFERSCOPE_TEST_REQUIRE_ALL"
OPTIONAL = "optional: "  # begins the reason of a skip that is no failure even where everything is required


class SkipReport:
    """The pytest plugin."""

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self):  # noqa: ANN201 - pytest's protocol
        report = yield
        return _refuse(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):  # noqa: ANN201 - pytest's protocol
        report = yield
        return _refuse(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the reasons with what each of them skipped."""
        skipped: dict[str, list[str]] = defaultdict(list)
        for report in terminalreporter.stats.get("skipped", []):
            skipped[_reason(report)].append(report.nodeid)
        if not skipped:
            return
        terminalreporter.section("not run here, and why")
        for reason, tests in sorted(skipped.items()):
            terminalreporter.line(f"{reason}: {len(tests)}")
            for test in sorted(tests):
                terminalreporter.line(f"    {test}")


def _refuse(report):  # noqa: ANN001, ANN202 - a test's or a collection's report
    required = os.environ.get(REQUIRE_ALL_VARIABLE) == "1"
    if required and report.skipped and not hasattr(report, "wasxfail") and not _reason(report).startswith(OPTIONAL):
        report.outcome = "failed"
        report.longrepr = f"skipped, but {REQUIRE_ALL_VARIABLE}=1: {_reason(report)}"
    return report


def _reason(report) -> str:  # noqa: ANN001 - a test's or a collection's report
    if not isinstance(report.longrepr, tuple):
        return str(report.longrepr)
    return report.longrepr[2].removeprefix("Skipped: ")
