"""The templates for AWS: the pipeline held against CloudFormation's schemas, the commands of the builds run as CodeBuild runs them."""

import json
import re
import subprocess
import xml.etree.ElementTree

import yaml

from support import NICK, NO_EMAIL, RENAME, ROOT, Case, Database, Repository, plain_environment, tool

FOLDER = ROOT / "examples/pipelines/aws"
SPECS = ["buildspec-plan.yml", "buildspec-release.yml"]
PULL_REQUEST = "buildspec-pull-request.yml"


class Aws(Case):
    def build(self, repository, spec, code=0, **variables):
        """The phases: each command by itself, no further one of a phase behind one that fails, and `post_build` all the same."""
        document = yaml.safe_load((FOLDER / spec).read_text())
        env = plain_environment(**{**document["env"]["variables"], **variables})
        failed, said = 0, ""
        for phase in ("install", "build", "post_build"):
            for command in document["phases"].get(phase, {}).get("commands", []):
                done = subprocess.run(
                    ["bash", "-c", command], cwd=repository.folder, env=env, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )  # fmt: skip
                said += done.stdout
                if done.returncode:
                    failed = failed or done.returncode
                    break
            if failed and phase == "install":
                break
        self.assertEqual(failed, code, said)
        return said, document

    def test_the_schemas_of_cloudformation(self):
        template = FOLDER / "pipeline.yml"
        self.ends(tool("cfn-lint", "--", str(template)))
        wrong = self.folder() / "pipeline.yml"
        wrong.write_text(template.read_text().replace("ExecutionMode: QUEUED", "ExecutionMode: QUEUE"))
        self.assertIn("'QUEUE' is not one of", self.ends(tool("cfn-lint", "--", str(wrong)), 2))

    def test_the_build_specifications(self):
        names = sorted(path.name for path in FOLDER.glob("buildspec*"))
        self.assertEqual(names, sorted([*SPECS, PULL_REQUEST]))
        paths = [str(FOLDER / name) for name in names]
        self.ends(tool("check_jsonschema", "--schemafile", str(ROOT / "tests/pipelines/buildspec.schema.json"), *paths))
        for name in names:
            phases = yaml.safe_load((FOLDER / name).read_text())["phases"].values()
            for number, command in enumerate(command for phase in phases for command in phase["commands"]):
                script = self.folder() / f"{number}.sh"
                script.write_text(command)
                # The variables are those of `env`.
                self.ends(tool("shellcheck", "--shell=bash", "--exclude=SC2154", str(script)))

    def test_the_pipeline_names_the_build_specifications_and_what_they_do(self):
        text = (FOLDER / "pipeline.yml").read_text()
        self.assertEqual(re.findall(r"BuildSpec: ([\w.-]+)", text), SPECS)
        self.assertEqual([json.loads(found)[0]["value"] for found in re.findall(r"EnvironmentVariables: '(.*)'", text)], ["execute", "promote"])

    def test_a_pull_request(self):
        repository = Repository(self).write(2, "rename", RENAME).commit()
        said, document = self.build(repository, PULL_REQUEST, 1)
        self.assertIn("CO102 incompatible-change", said)
        self.assertIn("Not safe. 1 error", said)
        (report,) = document["reports"]["lint"]["files"]
        junit = xml.etree.ElementTree.parse(repository.folder / report).getroot()
        self.assertNotEqual(junit.get("failures"), "0")
        (repository.migrations / "2_rename.sql").unlink()
        said, _ = self.build(repository.write(2, "nick", NICK).commit(), PULL_REQUEST)
        self.assertIn("users.nick", said)

    def test_a_release(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).write(3, "no_email", NO_EMAIL).commit()

        def does(action, code=0):
            return self.build(repository, "buildspec-release.yml", code, ACTION=action, CUTOVER_DATABASE=database.url)[0]

        self.build(repository, "buildspec-plan.yml", CUTOVER_DATABASE=database.url)
        self.assertIn("was not begun in this database", does("promote", 2))
        self.assertIn("awaiting approval", does("execute"))
        self.assertEqual(database.columns(), "id name email nick")
        # A stage that is tried again.
        self.assertIn("waits for you", does("execute"))
        database.cutover("pause", "--reason", "looking")
        self.assertIn("is paused", does("promote", 9))
        database.cutover("resume", "--yes")
        database.cutover("rollback", "--yes")
        self.assertIn("went back to blue", does("execute", 9))
        database.cutover("resume", "--yes")
        does("promote")
        self.assertEqual(database.columns(), "id name nick")
        self.assertIn("is complete", does("promote"))

    def test_cutover_moves_the_traffic(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).write(3, "no_email", NO_EMAIL)
        (repository.migrations / "cutover.toml").write_text('[release]\ntraffic = "edge"\n[traffic.edge]\nkind = "simulated"\n')
        repository.commit()
        self.build(repository, "buildspec-plan.yml", CUTOVER_DATABASE=database.url)
        for _ in range(2):
            self.build(repository, "buildspec-release.yml", ACTION="execute", EXECUTE_ARGS="--until expanded", CUTOVER_DATABASE=database.url)
            self.assertEqual(database.columns(), "id name email nick")
        self.build(repository, "buildspec-release.yml", ACTION="promote", CUTOVER_DATABASE=database.url)
        self.assertEqual(database.columns(), "id name nick")

    def test_the_release_of_another_execution_is_left_alone(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).commit()
        self.build(repository, "buildspec-plan.yml", CUTOVER_DATABASE=database.url)
        old = (repository.folder / "release.plan").read_text()
        for action in ("execute", "promote"):
            self.build(repository, "buildspec-release.yml", ACTION=action, CUTOVER_DATABASE=database.url)
        repository.write(3, "no_email", NO_EMAIL).write(4, "age", "ALTER TABLE users ADD COLUMN age int;").commit()
        self.build(repository, "buildspec-plan.yml", CUTOVER_DATABASE=database.url)
        self.build(repository, "buildspec-release.yml", ACTION="execute", CUTOVER_DATABASE=database.url)
        (repository.folder / "release.plan").write_text(old)
        self.build(repository, "buildspec-release.yml", 2, ACTION="promote", CUTOVER_DATABASE=database.url)
        self.assertEqual(database.columns(), "id name email nick age")
