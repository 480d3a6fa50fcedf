"""Check the values for Dagster's Helm chart and the manifests with packages from PyPI: the launcher's config schema and
its Job, Dagster's instance schema, and the models of the Kubernetes client.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dagster._config import Shape, validate_config
from dagster._core.instance.config import dagster_instance_config_schema

from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.settings import Settings as ServingSettings

pytestmark = pytest.mark.slow  # imports the Kubernetes client, where it is used: every test process collects this file

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "kubernetes"
VALUES = yaml.safe_load((HERE / "values.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((HERE / "api.yaml").read_text()))
OTHERS = ("AWS_", "MLFLOW_TRACKING_")  # read by libraries

SNAKE = {
    "maxConcurrentRuns": "max_concurrent_runs",
    "tagConcurrencyLimits": "tag_concurrency_limits",
    "defaultLimit": "default_limit",
    "startTimeoutSeconds": "start_timeout_seconds",
    "cancelTimeoutSeconds": "cancel_timeout_seconds",
    "maxRuntimeSeconds": "max_runtime_seconds",
    "maxResumeRunAttempts": "max_resume_run_attempts",
    "pollIntervalSeconds": "poll_interval_seconds",
    "freeSlotsAfterRunEndSeconds": "free_slots_after_run_end_seconds",
    "maxRetries": "max_retries",
    "retryOnAssetOrOpFailure": "retry_on_asset_or_op_failure",
    "purgeAfterDays": "purge_after_days",
    "containerConfig": "container_config",
    "podSpecConfig": "pod_spec_config",
    "jobSpecConfig": "job_spec_config",
}


def renamed(values):
    """Rename keys as the chart's templates do for dagster.yaml."""
    if isinstance(values, dict):
        return {SNAKE.get(key, key): renamed(value) for key, value in values.items()}
    return values


def launcher_config():
    """Return the run launcher's config as the chart's template renders it."""
    values = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    return {
        "load_incluster_config": values["loadInclusterConfig"],
        "image_pull_policy": values["imagePullPolicy"],
        "service_account_name": "dagster",
        "dagster_home": VALUES["global"]["dagsterHome"],
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "resources": values["resources"],
        "security_context": values["securityContext"],
        "run_k8s_config": renamed(values["runK8sConfig"]),
    }


def instance_config():
    """Return the rest of dagster.yaml as the chart's template renders it."""
    daemon, concurrency = VALUES["dagsterDaemon"], renamed(VALUES["concurrency"])
    return {
        "concurrency": {key: concurrency[key] for key in ("runs", "pools")},
        "run_monitoring": renamed(daemon["runMonitoring"]),
        "run_retries": renamed(daemon["runRetries"]),
        "retention": {kind: renamed(VALUES["retention"][kind]) for kind in ("sensor", "schedule")},
        "telemetry": VALUES["telemetry"],
        **VALUES["additionalInstanceConfig"],
    }


def test_launcher_accepts_its_configuration():
    from dagster_k8s.launcher import K8sRunLauncher

    result = validate_config(Shape(K8sRunLauncher.config_type()), launcher_config())
    assert result.success, result.errors


def test_dagster_accepts_the_instance_configuration():
    result = validate_config(Shape(dagster_instance_config_schema()), instance_config())
    assert result.success, result.errors


def test_instance_equals_the_project_s_except_run_limit_and_start_timeout():
    own, values = yaml.safe_load((ROOT / "dagster.yaml").read_text()), instance_config()
    own["concurrency"]["runs"].pop("max_concurrent_runs")
    values["concurrency"]["runs"].pop("max_concurrent_runs")
    assert values["concurrency"] == own["concurrency"]
    assert values["run_monitoring"]["max_runtime_seconds"] == own["run_monitoring"]["max_runtime_seconds"]
    for section in ("run_retries", "telemetry", "nux"):
        assert values[section] == own[section]


def test_run_is_a_job_with_limits_without_root_and_without_retries_by_kubernetes():
    import kubernetes.client as k8s
    from dagster_k8s.job import DagsterK8sJobConfig, UserDefinedDagsterK8sConfig, construct_dagster_k8s_job

    config = launcher_config()
    job_config = DagsterK8sJobConfig(
        job_image="zenith-cluster",
        dagster_home=config["dagster_home"],
        instance_config_map=config["instance_config_map"],
        postgres_password_secret=config["postgres_password_secret"],
    )
    user_config = UserDefinedDagsterK8sConfig.from_dict(
        {
            **config["run_k8s_config"],
            "container_config": {"resources": config["resources"], "security_context": config["security_context"]},
        }
    )
    job = construct_dagster_k8s_job(job_config, ["dagster"], "run", user_defined_k8s_config=user_config)
    spec = k8s.ApiClient().sanitize_for_serialization(job)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]

    assert container["resources"]["limits"] == {"cpu": "2", "memory": "3Gi"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (0, 86400)
    assert pod["restartPolicy"] == "Never"


def test_no_container_is_root_and_each_has_a_memory_limit():
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    for pod in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], deployment):
        assert pod["podSecurityContext"]["runAsNonRoot"]
        assert not pod["securityContext"]["allowPrivilegeEscalation"]
        assert pod["resources"]["limits"]["memory"]


def test_every_variable_is_a_setting():
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert unread(deployment["env"], PipelinesSettings) == []
    (container,) = MANIFESTS[0]["spec"]["template"]["spec"]["containers"]
    assert unread([variable["name"] for variable in container["env"]], ServingSettings) == []


def unread(names, settings):
    variables = {field.upper() for field in settings.model_fields}
    return [name for name in names if name not in variables and not name.startswith(OTHERS)]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_manifest_has_no_key_unknown_to_kubernetes(manifest):
    import kubernetes.client as k8s

    version = manifest["apiVersion"].rpartition("/")[2].capitalize()
    client = k8s.ApiClient()
    read = client.deserialize(SimpleNamespace(data=json.dumps(manifest)), f"{version}{manifest['kind']}")
    assert client.sanitize_for_serialization(read) == manifest


def test_service_selects_the_deployment():
    deployment, service, budget, scaler = MANIFESTS
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == labels
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
