"""The hooks, run by pre-commit itself."""

import shutil
import subprocess

import yaml

from support import NICK, RENAME, ROOT, Case, Repository, tool

MANIFEST = ROOT / ".pre-commit-hooks.yaml"


class Hooks(Case):
    def test_pre_commit_reads_the_hooks(self):
        self.ends(tool("pre_commit", "validate-manifest", str(MANIFEST)))
        hooks = yaml.safe_load(MANIFEST.read_text())
        self.assertEqual([hook["id"] for hook in hooks], ["cutover-lint", "cutover-lint-system"])

    def test_a_commit_with_findings_is_not_made(self):
        # Where pre-commit takes the hooks from: a repository with them.
        source = self.folder()
        shutil.copy(MANIFEST, source)
        for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
            self.ends(["git", *command], cwd=source)
        revision = self.ends(["git", "rev-parse", "HEAD"], cwd=source).strip()
        repository = Repository(self)
        hook = {"id": "cutover-lint-system", "args": ["migrations", "--base", "origin/main"]}
        configuration = {"repos": [{"repo": str(source), "rev": revision, "hooks": [hook]}]}
        (repository.folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(configuration))
        self.ends(tool("pre_commit", "validate-config"), cwd=repository.folder)
        self.ends(tool("pre_commit", "install"), cwd=repository.folder)
        # Nothing of it is looked at.
        said = self.commit(repository, 0)
        self.assertRegex(said, r"cutover lint.*\(no files to check\)Skipped")
        repository.write(2, "nick", NICK)
        self.assertRegex(self.commit(repository, 0), r"cutover lint\.+Passed")
        repository.write(3, "rename", RENAME)
        said = self.commit(repository, 1)
        self.assertRegex(said, r"cutover lint\.+Failed")
        self.assertIn("CO102 incompatible-change", said)
        self.assertIn("A  migrations/3_rename.sql", repository.git("status", "--short"))

    def commit(self, repository, code):
        repository.git("add", ".")
        return self.ends(["git", "commit", "--message", "x"], code, cwd=repository.folder, stdin=subprocess.DEVNULL)
