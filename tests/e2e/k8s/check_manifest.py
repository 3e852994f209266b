#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: check_manifest.py MANIFEST        the rules of the manifest that no schema knows
          check_manifest.py MANIFEST --pod  prints it as one Pod that podman 4 can play

podman runs init containers to their end before it starts the others and knows no native sidecar,
so --pod moves the sidecar among the containers. Nothing else of the manifest is changed but the
image names and what an option of this script names.
"""

import argparse
import re
import sys

import yaml


def seconds(text):
    match = re.fullmatch(r"(\d+)(s|m)", str(text))
    return int(match.group(1)) * {"s": 1, "m": 60}[match.group(2)]


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def check_restricted(pod, fault):
    """The `restricted` Pod Security Standard."""
    shared = pod.get("securityContext", {})
    for c in containers(pod):
        own = c.get("securityContext", {})
        both = {**shared, **own}
        if both.get("runAsNonRoot") is not True or both.get("runAsUser", 1) == 0:
            fault(f"{c['name']} may run as root")
        if own.get("allowPrivilegeEscalation") is not False:
            fault(f"{c['name']} allows privilege escalation")
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            fault(f"{c['name']} keeps capabilities")
        if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            fault(f"{c['name']} has no seccomp profile")
        if own.get("readOnlyRootFilesystem") is not True:
            fault(f"{c['name']} has a writable root")


def check_sidecar(pod, fault):
    sidecar = next((c for c in pod.get("initContainers", []) if c["name"] == "zokiod"), None)
    if sidecar is None or sidecar.get("restartPolicy") != "Always":
        return fault("zokiod is no native sidecar")
    ports = {p["name"] for p in sidecar["ports"]}
    for probe, path in (("startupProbe", "/livez"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        get = sidecar.get(probe, {}).get("httpGet", {})
        if get.get("path") != path or get.get("port") not in ports:
            fault(f"{probe} does not ask {path} on a declared port")
    command = sidecar["lifecycle"]["preStop"]["exec"]["command"]
    if command[:2] != ["zokioctl", "drain"] or "--deadline" not in command:
        return fault("preStop does not drain with a deadline")
    if seconds(command[command.index("--deadline") + 1]) + 10 > pod["terminationGracePeriodSeconds"]:
        fault("terminationGracePeriodSeconds leaves no time after the drain deadline")


def check_volumes(pod, fault):
    volumes = {v["name"] for v in pod.get("volumes", [])}
    mounted = {}
    for c in containers(pod):
        for m in c.get("volumeMounts", []):
            mounted.setdefault(m["name"], []).append((c["name"], m["mountPath"]))
            if m["name"] not in volumes:
                fault(f"{c['name']} mounts {m['name']}, which is no volume")
    for name in volumes - mounted.keys():
        fault(f"volume {name} is not mounted")
    if {path for _, path in mounted.get("run", [])} != {"/run/zokio"} or len(mounted.get("run", [])) != 2:
        fault("the socket's directory is not shared by sidecar and application")


def as_pod(documents, deployment, arguments):
    template = deployment["spec"]["template"]
    pod = template["spec"]
    for c in containers(pod):
        c["image"] = arguments.image
        c.pop("restartPolicy", None)
        if c["name"] == "zokiod" and arguments.host_port:
            c["ports"][0]["hostPort"] = arguments.host_port
        # podman runs a command probe inside the image; the test asks the probes itself.
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            c.pop(probe, None)
    pod["containers"] = [*pod.pop("initContainers"), *pod["containers"]]
    body = {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": arguments.name, "labels": template["metadata"]["labels"]}, "spec": pod}
    return [*(d for d in documents if d["kind"] == "ConfigMap"), body]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("manifest")
    parser.add_argument("--pod", action="store_true")
    parser.add_argument("--image", default="localhost/zokiod:test")
    parser.add_argument("--name", default="zokio-test")
    parser.add_argument("--host-port", type=int)
    arguments = parser.parse_args()
    with open(arguments.manifest, encoding="utf-8") as f:
        documents = list(yaml.safe_load_all(f))
    deployment = next(d for d in documents if d["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    if arguments.pod:
        yaml.safe_dump_all(as_pod(documents, deployment, arguments), sys.stdout)
        return 0
    faults = []
    check_restricted(pod, faults.append)
    check_sidecar(pod, faults.append)
    check_volumes(pod, faults.append)
    for fault in faults:
        print(f"{arguments.manifest}: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
