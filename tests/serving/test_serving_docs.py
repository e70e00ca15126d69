"""The guide and the dashboard name what is there."""

import argparse
import json
import re
from pathlib import Path

import yaml
from talking import local
from test_predict import GREY

from stagewise.drift.options import DriftOptions, add_drift_arguments, add_drift_command_arguments
from stagewise.serving.drift.router import drift
from stagewise.serving.options import Limits, Options, Share, add_arguments
from stagewise.serving.problems import KINDS

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "serving.md").read_text(encoding="utf-8")


def series(packages) -> set[str]:
    """Names of all series of a service with a shadow that has answered."""

    async def talk(client):
        await client.post("/v1/predict", {"input": GREY})
        await client.post("/v1/predict", {})
        client.service.metrics.swaps.of("shades", "done")
        return (await client.get("/metrics")).body.decode()

    options = Options(shadows=(Share(packages["image"], 1.0),))
    text = local([packages["image"]], talk, options, (drift(DriftOptions()),))
    return set(re.findall(r"^(?:# TYPE )?([a-z_]+)(?:\{| )", text, re.MULTILINE))


def test_every_series_that_is_named_is_there(packages):
    there = series(packages)
    for text in (GUIDE, (DOCS / "grafana-dashboard.json").read_text(encoding="utf-8")):
        named = set(re.findall(r"\b((?:stagewise|process)_[a-z_]+)\b", text)) - {"stagewise_serve"}
        missing = {name for name in named if name not in there and f"{name}_bucket" not in there}
        assert not missing


def test_every_series_is_on_the_dashboard(packages):
    text = (DOCS / "grafana-dashboard.json").read_text(encoding="utf-8")
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in series(packages) if name.startswith("stagewise_")}
    left_out = {name for name in bare if name not in text}
    assert left_out == {
        "stagewise_requests_in_progress", "stagewise_swaps_total", "stagewise_hook_errors_total", "stagewise_shadow_difference",
    }  # fmt: skip


def test_panels_of_the_dashboard_do_not_overlap():
    panels = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_option_that_is_named_is_there():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    add_drift_arguments(parser)
    report = argparse.ArgumentParser()
    add_drift_command_arguments(report)
    known = set(re.findall(r"--[a-z-]+", parser.format_help() + report.format_help()))
    commands = "\n".join(
        line for line in GUIDE.splitlines() if not re.search(r"\b(curl|docker|pip|useradd|RUN)\b", line)
    )
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", commands))
    assert named
    assert not named - known


def test_the_commands_of_containers_are_understood():
    """What the Dockerfile and the Deployment say together is parsed as one command line."""
    command = json.loads(re.search(r"^ENTRYPOINT (.*)$", GUIDE, re.MULTILINE)[1])
    documents = [
        found for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) for found in yaml.safe_load_all(block)
    ]
    deployment, service, alerts = documents
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert command[:3] == ["python", "-m", "stagewise.serving"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    add_drift_arguments(parser)
    options = parser.parse_args([*command[3:], *container["args"]])
    (port,) = container["ports"]
    assert port["containerPort"] == options.port == service["spec"]["ports"][0]["targetPort"]
    probes = {container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"/readyz", "/healthz"}
    pod = deployment["spec"]["template"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > options.drain_seconds + options.stop_seconds
    assert service["spec"]["selector"] == pod["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"]
    assert len({rule["alert"] for rule in alerts["groups"][0]["rules"]}) == len(alerts["groups"][0]["rules"])


def test_every_limit_and_every_status_is_told():
    for name in Limits.__dataclass_fields__:
        assert f"--max-{name.replace('_', '-')}" in GUIDE, name
    for status, _ in KINDS.values():
        assert str(status) in GUIDE, status
