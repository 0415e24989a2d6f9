"""pytest plug-in: --ctrf FILE writes the results in Common Test Report Format."""

import json
import os
import time


def pytest_addoption(parser):
    parser.addoption("--ctrf", default=None, help="write a CTRF report to this file")


def pytest_configure(config):
    path = config.getoption("--ctrf")
    if path:
        config.pluginmanager.register(CtrfReport(path), "assay-ctrf-report")


class CtrfReport:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.start = time.time()
        self.tests = {}

    def pytest_runtest_logreport(self, report):
        test = self.tests.setdefault(
            report.nodeid, {"name": report.nodeid, "status": "other", "duration": 0.0}
        )
        test["duration"] += report.duration
        if report.when == "call" or report.outcome != "passed":
            test["status"] = report.outcome
        if report.failed:
            test["trace"] = str(report.longrepr)
            test["message"] = f"The test failed in the {report.when} phase"

    def pytest_sessionfinish(self):
        tests = list(self.tests.values())
        counts = {"passed": 0, "failed": 0, "skipped": 0, "pending": 0, "other": 0}
        for test in tests:
            counts[test["status"]] = counts.get(test["status"], 0) + 1
        summary = {"tests": len(tests), **counts, "start": self.start, "stop": time.time()}
        report = {"results": {"tool": {"name": "pytest"}, "summary": summary, "tests": tests}}
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w", encoding="utf-8") as out:
            json.dump(report, out, indent=2)
