"""The template for GitLab: held against GitLab's schema, and its jobs run as a runner would."""

import json
import re
import subprocess
import xml.etree.ElementTree

import yaml

from support import NICK, NO_EMAIL, RENAME, ROOT, Case, Database, Repository, plain_environment, tool

TEMPLATE = ROOT / "examples/pipelines/gitlab/cutover.gitlab-ci.yml"


class Template:
    """What GitLab makes of the file that includes it with these inputs."""

    def __init__(self, **inputs):
        header, body = TEMPLATE.read_text().split("\n---\n")
        self.inputs = yaml.safe_load(header)["spec"]["inputs"]
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        values = {**{name: known.get("default") for name, known in self.inputs.items()}, **given}
        self.used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", body))
        self.text = re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda name: values[name[1]], body)
        self.jobs = yaml.safe_load(self.text)

    def job(self, name):
        """A job with what it extends."""
        own = self.jobs[name]
        return {**(self.job(own["extends"]) if "extends" in own else {}), **own}


class Gitlab(Case):
    def run_job(self, repository, name, code=0, database=None, **inputs):
        job = Template(**inputs).job(name)
        base = repository.git("merge-base", "HEAD", "origin/main")
        variables = {"CI_PROJECT_DIR": str(repository.folder), "CI_MERGE_REQUEST_DIFF_BASE_SHA": base, **job["variables"]}
        if database:
            variables["CUTOVER_DATABASE"] = database.url
        script = repository.folder.parent / "script.sh"
        script.write_text("\n".join([*job["before_script"], *job["script"]]))
        said = self.ends(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            code, cwd=repository.folder, env=plain_environment(GITLAB_CI="true", **variables), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return said, job

    def test_the_schema_of_gitlab(self):
        template = Template()
        # The schema knows no file with a header: both halves are held against it.
        header = TEMPLATE.read_text().split("\n---\n")[0]
        for number, text in enumerate((header, template.text)):
            path = self.folder() / f"{number}.yml"
            path.write_text(text)
            check = tool("check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(path))
            self.ends(check)
            path.write_text(text.replace("allow_failure:", "allow_failures:").replace("inputs:", "input:"))
            self.ends(check, 1)
        self.assertEqual(template.used, set(template.inputs))

    def test_no_input_is_code(self):
        names = Template().inputs
        for name, job in Template(**{name: "INPUT" for name in names}).jobs.items():
            for line in [*job.get("before_script", []), *job.get("script", [])]:
                self.assertNotIn("INPUT", line, name)

    def test_jobs_that_are_needed_exist_and_no_release_is_cancelled(self):
        template = Template()
        for name, job in template.jobs.items():
            self.assertLessEqual(set(job.get("needs", [])), set(template.jobs), name)
            if not name.startswith(".") and "environment" in template.job(name):
                self.assertEqual((template.job(name)["interruptible"], template.job(name)["resource_group"]), (False, "production"), name)
                self.assertEqual(template.job(name)["rules"][0]["when"], "manual", name)

    def test_lint_of_a_merge_request(self):
        repository = Repository(self).write(2, "rename", RENAME).commit()
        said, job = self.run_job(repository, "cutover-lint", 1)
        self.assertIn("CO102 incompatible-change", said)
        reports = job["artifacts"]["reports"]
        quality = json.loads((repository.folder / reports["codequality"]).read_text())
        self.assertEqual(quality[0]["location"]["path"], "migrations/2_rename.sql")
        junit = xml.etree.ElementTree.parse(repository.folder / reports["junit"]).getroot()
        self.assertNotEqual(junit.get("failures"), "0")
        self.assertEqual(job["artifacts"]["when"], "always")
        (repository.migrations / "2_rename.sql").unlink()
        self.run_job(repository.write(2, "nick", NICK).commit(), "cutover-lint")

    def test_plan_of_a_merge_request(self):
        repository = Repository(self).write(2, "rename", RENAME).commit()
        _, job = self.run_job(repository, "cutover-plan", 1)
        (page,) = job["artifacts"]["paths"]
        self.assertIn("incompatible-change", (repository.folder / page).read_text())

    def test_a_release(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).write(3, "no_email", NO_EMAIL).commit()
        _, job = self.run_job(repository, "cutover-release-plan", database=database)
        for path in job["artifacts"]["paths"]:
            self.assertTrue((repository.folder / path).is_file(), path)
        # Not before it was begun.
        self.run_job(repository, "cutover-promote", 75, database)
        self.run_job(repository, "cutover-execute", database=database)
        self.assertEqual(database.columns(), "id name email nick")
        self.run_job(repository, "cutover-rollback", database=database)
        self.run_job(repository, "cutover-promote", 1, database)
        self.run_job(repository, "cutover-resume", database=database)
        self.run_job(repository, "cutover-promote", database=database)
        self.assertEqual(database.columns(), "id name nick")

    def test_the_release_of_another_pipeline_is_left_alone(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).commit()
        self.run_job(repository, "cutover-release-plan", database=database)
        self.run_job(repository, "cutover-execute", database=database)
        self.run_job(repository, "cutover-promote", database=database)
        old = (repository.folder / "release.plan").read_text()
        repository.write(3, "no_email", NO_EMAIL).write(4, "age", "ALTER TABLE users ADD COLUMN age int;").commit()
        self.run_job(repository, "cutover-release-plan", database=database)
        self.run_job(repository, "cutover-execute", database=database)
        (repository.folder / "release.plan").write_text(old)
        # It is done, and the other one waits on.
        self.run_job(repository, "cutover-promote", database=database)
        self.assertEqual(database.columns(), "id name email nick age")

    def test_cutover_moves_the_traffic(self):
        database, repository = Database(self), Repository(self).write(2, "nick", NICK).write(3, "no_email", NO_EMAIL)
        (repository.migrations / "cutover.toml").write_text('[release]\ntraffic = "edge"\n[traffic.edge]\nkind = "simulated"\n')
        repository.commit()
        self.run_job(repository, "cutover-release-plan", database=database)
        self.run_job(repository, "cutover-execute", database=database, execute_args="--until expanded")
        self.assertEqual(database.columns(), "id name email nick")
        said, _ = self.run_job(repository, "cutover-promote", database=database)
        self.assertIn("Cutover", said)
        self.assertEqual(database.columns(), "id name nick")
