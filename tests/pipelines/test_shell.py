"""All shell scripts of the repository."""

from support import ROOT, Case, shell_scripts, tool


class Shell(Case):
    def test_shellcheck(self):
        scripts = list(shell_scripts())
        self.assertGreater(len(scripts), 20)
        self.assertIn(ROOT / "tests/run", scripts)
        self.ends(tool("shellcheck", "--severity=warning", *map(str, scripts)), cwd=ROOT)
