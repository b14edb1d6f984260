"""The compose file of a site and the images that it builds, as far as they can be checked without a Docker daemon."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))
SITE: dict[str, Any] = yaml.safe_load((COMPOSE / "site.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = SITE["services"]
ENDS_BY_ITSELF = {"migrate"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ENDS_BY_ITSELF))
def test_every_service_that_stays_has_a_health_check_and_is_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_services_wait_for_the_migrations_to_have_succeeded() -> None:
    for name in ("writer", "query"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_every_image_is_pinned_to_a_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [
        line.split()[1] for file in DOCKERFILES for line in file.read_text().splitlines() if line.startswith("FROM")
    ]
    for image in images:
        tag = image.rpartition(":")[2] if image.count(":") == 1 else image.partition(":")[2]
        assert re.match(r"(\$\{WAFERSCOPE_VERSION:-)?\d+\.\d+", tag), image


def test_everything_that_the_compose_file_refers_to_exists() -> None:
    for service in SERVICES.values():
        if build := service.get("build"):
            assert (COMPOSE / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]).is_file()
        for mount in service.get("volumes", []):
            if isinstance(mount, dict):
                assert (COMPOSE / mount["source"]).exists()
            else:
                assert mount.split(":")[0] in SITE["volumes"]
        assert set(service["networks"]) <= SITE["networks"].keys()


def test_the_networks_keep_their_known_names() -> None:
    assert {network["name"] for network in SITE["networks"].values()} == {
        "wafer-monitoring",
        "wafer-data-plane",
        "wafer-web",
    }


def test_every_required_setting_stands_in_the_example_without_a_secret() -> None:
    text = (COMPOSE / "site.yaml").read_text()
    example = dict(re.findall(r"^(\w+)=(.*)$", (COMPOSE / "site.env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", text)) == example.keys()
    assert {name for name, value in example.items() if not value} == set(re.findall(r"\$\{(\w+):\?", text))
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        assert example[name] == default


def test_no_port_is_open_to_the_network_unless_asked() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith(("${WAFERSCOPE_BIND:-127.0.0.1}:", "127.0.0.1:"))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_runs_as_no_root_knows_its_health_and_copies_what_is_there(file: Path) -> None:
    lines = file.read_text().replace("\\\n", " ").splitlines()
    final = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    users = [line.split()[1] for line in final if line.startswith("USER")]
    assert users
    assert users[-1].split(":")[0] not in {"0", "root"}
    assert any(line.startswith("HEALTHCHECK") for line in final)
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), line


def test_what_images_install_is_locked_with_hashes() -> None:
    installs = [
        line
        for line in (ROOT / "deploy/docker/data-plane.Dockerfile").read_text().splitlines()
        if "-r requirements" in line
    ]
    assert installs
    assert all("--require-hashes" in line for line in installs)
    for lock in ("data-plane.txt", "build.txt"):
        pins = re.split(r"\n(?=\S)", (ROOT / "requirements" / lock).read_text().strip())
        assert all("--hash=sha256:" in pin for pin in pins)


def test_the_dockerfiles_pass_the_linter() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("optional: hadolint has no package for this platform")
    result = subprocess.run([hadolint, *DOCKERFILES], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_docker_accepts_the_compose_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("optional: no docker compose on this machine")
    settings = tmp_path / "site.env"
    settings.write_text(re.sub(r"=$", "=x", (COMPOSE / "site.env.example").read_text(), flags=re.MULTILINE))
    command = [docker, "compose", "--env-file", settings, "-f", COMPOSE / "site.yaml", "config", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
