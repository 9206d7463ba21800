"""web/dist is what its sources make."""
import filecmp
import hashlib
import os
import shutil
import subprocess

OWN = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"]
PATIENCE_S = 300


def sources_digest(web):
    """As web/sources.mjs computes it."""
    paths = list(OWN)
    for folder, _, names in os.walk(web / "src"):
        paths += [os.path.relpath(os.path.join(folder, name), web) for name in names
                  if name != "schema.d.ts" and not name.endswith(".test.ts")]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.encode() + b"\0" + (web / path).read_bytes() + b"\0")
    return digest.hexdigest()


def test_the_built_dashboard_is_not_stale(root):
    kept = (root / "web/dist/sources.sha256").read_text().strip()
    assert kept == sources_digest(root / "web"), "run 'npm ci && npm run build' in web/"


def test_the_lock_file_names_no_registry(root):
    assert "://" not in "".join(line for line in (root / "web/package-lock.json").open()
                                if '"resolved"' in line)


def test_building_it_again_gives_the_same_bytes(root, node_modules, tmp_path):
    copy = tmp_path / "web"
    shutil.copytree(root / "web", copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(node_modules)
    shutil.copytree(root / "api", tmp_path / "api")
    built = subprocess.run(["npm", "run", "build"], cwd=copy, capture_output=True, text=True,
                           timeout=PATIENCE_S, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    compared = filecmp.dircmp(root / "web/dist", copy / "dist")
    assert not compared.left_only and not compared.right_only and not compared.diff_files
    assets = filecmp.cmpfiles(root / "web/dist/assets", copy / "dist/assets",
                              os.listdir(root / "web/dist/assets"), shallow=False)
    assert not assets[1] and not assets[2]


def test_the_units_of_the_dashboard(root, node_modules):
    assert node_modules
    ran = subprocess.run(["npx", "vitest", "run"], cwd=root / "web", capture_output=True, text=True,
                         timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_fails_where_a_source_changed(root, tmp_path):
    copy = tmp_path / "web"
    shutil.copytree(root / "web", copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "src/main.tsx").write_text("changed")
    assert sources_digest(copy) != sources_digest(root / "web")

