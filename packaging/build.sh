#!/usr/bin/env bash
# Builds what is released into target/package: a static binary, its manual pages and completions, a Debian package and a
# bill of materials. Needs cargo-deb, and for the bill Python with cyclonedx-python-lib (`PYTHON=...`).
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/package
rm -rf "$out"
mkdir -p "$out/man"

# Static for the program alone: build scripts and macros of the compiler can not be.
cargo rustc --locked --quiet --release --bin evenkeel -- -C target-feature=+crt-static
evenkeel=target/release/evenkeel
"$evenkeel" man "$out/man"
for shell in bash zsh fish; do "$evenkeel" completions "$shell" >"$out/evenkeel.$shell"; done

cargo deb --locked --no-build --no-strip --quiet --output "$out/"
"${PYTHON:-python3}" packaging/sbom.py >"$out/evenkeel.cdx.json"
cp "$evenkeel" "$out/"
(cd "$out" && sha256sum evenkeel ./*.deb evenkeel.cdx.json >SHA256SUMS)

"$evenkeel" --version
printf '%s: %s bytes\n' "$out/evenkeel" "$(stat -c %s "$out/evenkeel")"
for deb in "$out"/*.deb; do printf '%s: %s bytes\n' "$deb" "$(stat -c %s "$deb")"; done
