"""Writes the bill of materials of the program, CycloneDX 1.6 as JSON: every crate that is linked, from Cargo.lock."""

import json
import subprocess
import sys
import tomllib

from cyclonedx.model import HashAlgorithm, HashType, XsUri
from cyclonedx.model import ExternalReference, ExternalReferenceType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"


def metadata():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def linked(graph, root):
    """Crates that the program is linked from, each with those that it names: no tools, no tests.

    Which these are is `cargo tree`'s to say: the metadata also has what only tests switch on.
    """
    command = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    tree = subprocess.run([*command, "--target", TARGET], check=True, capture_output=True, text=True).stdout
    wanted = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    packages = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    found, todo = {}, [root]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        named = [dep for dep in nodes[name]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        known = (packages[dep["pkg"]] for dep in named)
        found[name] = [one["id"] for one in known if (one["name"], f"v{one['version']}") in wanted]
        todo += found[name]
    return found


def component(package, checksums, kind=ComponentType.LIBRARY):
    name, version = package["name"], package["version"]
    checksum = checksums.get((name, version))
    # An older way of writing OR.
    licence = (package["license"] or "").replace("/", " OR ")
    return Component(
        type=kind,
        name=name,
        version=version,
        description=" ".join((package["description"] or "").split()) or None,
        licenses=[LicenseExpression(licence)] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        purl=PackageURL("cargo", None, name, version),
        bom_ref=f"{name}@{version}",
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"]))]
        if package["repository"]
        else [],
    )


def main():
    graph = metadata()
    packages = {package["id"]: package for package in graph["packages"]}
    with open("Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in locked}
    root = graph["resolve"]["root"]
    found = linked(graph, root)
    parts = {
        name: component(packages[name], checksums, ComponentType.APPLICATION if name == root else ComponentType.LIBRARY)
        for name in found
    }
    bom = Bom()
    bom.metadata.component = parts[root]
    bom.components = [part for name, part in parts.items() if name != root]
    for name, named in found.items():
        bom.register_dependency(parts[name], [parts[other] for other in named])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"the bill of materials is not valid: {wrong}")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
